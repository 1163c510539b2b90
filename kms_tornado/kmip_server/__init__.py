"""KMIP over TLS: binary messages on connections whose clients have certificates (KMIP 2.1 Profiles §3)."""
