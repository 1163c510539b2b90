"""What applications embed: the check of bearer tokens in Tornado handlers."""
