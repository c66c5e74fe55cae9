#!/bin/bash
# What the official image does before the server starts: a container without a configuration gets
# one from the ZOO_* variables, and a data folder without an id gets ZOO_MY_ID.
set -e

settings() {
  echo "dataDir=$ZOO_DATA_DIR"
  echo "dataLogDir=$ZOO_DATA_LOG_DIR"
  echo "tickTime=${ZOO_TICK_TIME:-2000}"
  echo "initLimit=${ZOO_INIT_LIMIT:-5}"
  echo "syncLimit=${ZOO_SYNC_LIMIT:-2}"
  echo "autopurge.snapRetainCount=${ZOO_AUTOPURGE_SNAPRETAINCOUNT:-3}"
  echo "autopurge.purgeInterval=${ZOO_AUTOPURGE_PURGEINTERVAL:-0}"
  echo "maxClientCnxns=${ZOO_MAX_CLIENT_CNXNS:-60}"
  echo "standaloneEnabled=${ZOO_STANDALONE_ENABLED:-true}"
  echo "admin.enableServer=${ZOO_ADMINSERVER_ENABLED:-true}"
  [[ -z $ZOO_4LW_COMMANDS_WHITELIST ]] || echo "4lw.commands.whitelist=$ZOO_4LW_COMMANDS_WHITELIST"
  for line in $ZOO_CFG_EXTRA ${ZOO_SERVERS:-"server.1=localhost:2888:3888;2181"}; do
    echo "$line"
  done
}

if [[ $1 == zkServer.sh ]]; then
  [[ -e $ZOO_CONF_DIR/zoo.cfg ]] || settings > "$ZOO_CONF_DIR/zoo.cfg"
  [[ -e $ZOO_DATA_DIR/myid ]] || echo "${ZOO_MY_ID:-1}" > "$ZOO_DATA_DIR/myid"
fi

exec "$@"
