"""`kms-tornado audit …`: what an operator asks of the audit: verified, exported, followed, indexed anew."""
