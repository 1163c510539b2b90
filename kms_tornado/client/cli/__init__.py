"""The command line `kmsctl`: click commands around `kms_tornado.client`, one module for each noun."""
