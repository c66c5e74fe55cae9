#!/bin/bash
# Start a ZooKeeper server in the foreground, or ask the one of this configuration how it is.

usage() {
  echo "Usage: $(basename "$0") [--config DIR] {start-foreground|status|print-cmd|version} [FILE]" >&2
  exit 2
}

if [[ $1 == --config ]]; then
  [[ -d $2 ]] || { echo "--config: $2 is not a folder" >&2; exit 2; }
  ZOOCFGDIR="$2"
  shift 2
fi
source "$(dirname "${BASH_SOURCE[0]}")/zkEnv.sh"

action="${1:-}"
config="${2:-$ZOOCFG}"
[[ $config == */* ]] || config="$ZOOCFGDIR/$config"

server_command() {
  # A garbage collector that the user chose replaces the laptop's: a JVM takes only one.
  if [[ "$SERVER_JVMFLAGS $JVMFLAGS" =~ -XX:\+Use[A-Za-z0-9]+GC ]]; then
    LAPTOP_JVMFLAGS="$(sed 's/-XX:+Use[A-Za-z0-9]*GC//; s/-XX:SharedArchiveFile=[^ ]*//' <<<"$LAPTOP_JVMFLAGS")"
  fi
  # Unquoted on purpose: each of these variables holds several flags.
  command=("$JAVA" $LAPTOP_JVMFLAGS "-Dzookeeper.log.dir=$ZOO_LOG_DIR"
    "-Xmx${ZK_SERVER_HEAP:-1000}m" $SERVER_JVMFLAGS $JVMFLAGS
    -cp "$CLASSPATH" org.apache.zookeeper.server.quorum.QuorumPeerMain "$config")
}

setting() {
  sed -n "s/^[[:space:]]*$1[[:space:]]*=[[:space:]]*//p" "$config" | tail -n 1
}

client_port() {
  local port dynamic id
  port="$(setting clientPort)"
  if [[ -z $port ]]; then
    dynamic="$(setting dynamicConfigFile)"
    id="$(cat "$(setting dataDir)/myid" 2>/dev/null)"
    port="$(sed -n "s/^server\.${id:-1}=.*;\(.*:\)\{0,1\}\([0-9]*\)$/\2/p" "${dynamic:-$config}")"
  fi
  echo "${port:-2181}"
}

status() {
  local port answer
  [[ -r $config ]] || { echo "There is no configuration at $config" >&2; exit 1; }
  port="$(client_port)"
  echo "Using config: $config"
  echo "Client port found: $port. Client address: localhost."
  answer="$( { exec 3<>"/dev/tcp/127.0.0.1/$port" && echo srvr >&3 && timeout 5 cat <&3; } 2>/dev/null)"
  grep '^Mode:' <<<"$answer" || { echo "Error contacting service. It is probably not running."; exit 1; }
}

server_command
case "$action" in
  start-foreground) exec "${command[@]}" ;;
  print-cmd) printf '%q ' "${command[@]}"; echo ;;
  status) status ;;
  version) exec "$JAVA" -cp "$CLASSPATH" org.apache.zookeeper.version.VersionInfoMain ;;
  *) usage ;;
esac
