"""What `restore` decides: from a backup in a store to the data that an ensemble serves.

Invariant: until the restored ensemble was looked at, the servers' own data lies aside and can come
back, and no client is served by a restored server. Then `status.restored` of the cluster names the
restore, and from there it only goes forward. One restore moves the servers at a time, by the
cluster's `status.operation`.
"""
