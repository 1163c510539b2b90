"""`kms-tornado audit …`: what an operator does with the audit: verify, export, follow, index it again."""
