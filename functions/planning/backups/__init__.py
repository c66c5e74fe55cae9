"""What a ZooKeeperBackup comes to: whom to copy from, the Jobs, the record, what is kept. Pure."""
