#!/bin/bash
# Where things are, for the other scripts: sourced, never run. Everything set beforehand stays.

ZOO_HOME="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
ZOOCFGDIR="${ZOOCFGDIR:-${ZOO_CONF_DIR:-$ZOO_HOME/conf}}"

# Both files are part of what people put into the configuration folder.
for file in zookeeper-env.sh java.env; do
  [[ ! -r $ZOOCFGDIR/$file ]] || source "$ZOOCFGDIR/$file"
done

ZOOCFG="${ZOOCFG:-zoo.cfg}"
ZOO_LOG_DIR="${ZOO_LOG_DIR:-$ZOO_HOME/logs}"
JAVA="${JAVA_HOME:+$JAVA_HOME/bin/}java"

# The jars come before the configuration folder because a class archive only fits a class path
# that begins with what it was made from. No jar brings a logging configuration of its own, so
# the one in the configuration folder is found all the same.
jars=("$ZOO_HOME"/lib/*.jar)
CLASSPATH="${CLASSPATH:+$CLASSPATH:}$(IFS=:; echo "${jars[*]}"):$ZOOCFGDIR"

# The laptop's defaults; what the user sets comes later on the command line and wins.
LAPTOP_JVMFLAGS="-XX:+UseSerialGC -XX:TieredStopAtLevel=1 -XX:-UsePerfData"
archive="$ZOO_HOME/lib/classes.jsa"
if [[ -r $archive ]]; then
  LAPTOP_JVMFLAGS+=" -Xshare:auto -XX:SharedArchiveFile=$archive -Xlog:disable -Xlog:all=error:stderr"
fi
