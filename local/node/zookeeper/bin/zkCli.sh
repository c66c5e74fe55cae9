#!/bin/bash
# ZooKeeper's command line client: zkCli.sh [-server HOST:PORT] [COMMAND...]
source "$(dirname "${BASH_SOURCE[0]}")/zkEnv.sh"
# Unquoted on purpose: each of these variables holds several flags.
exec "$JAVA" $LAPTOP_JVMFLAGS "-Xmx${ZK_CLIENT_HEAP:-256}m" $CLIENT_JVMFLAGS $JVMFLAGS \
  -cp "$CLASSPATH" org.apache.zookeeper.ZooKeeperMain "$@"
