"""The object stores backups lie in: one small port, S3 and OSS behind it.

Only programs in Job pods use them. A function has no store library and no store credentials.
"""
