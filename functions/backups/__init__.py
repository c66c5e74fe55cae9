"""Backups: what one consists of, how it is made from a server's files, and how it is proven.

A backup is a flat folder of objects: one snapshot, the transaction logs it needs, the epoch files,
and `manifest.json`, written last. Programs in Job pods and a person's command share this package.
"""
