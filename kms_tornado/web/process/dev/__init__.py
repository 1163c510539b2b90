"""The throw-away issuer of --dev, its pages and certificates, and what --dev prints."""
