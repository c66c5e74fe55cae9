#!/bin/bash
# Run a server of one's own once and let Java write down which classes it used: later starts read
# them from that archive and need half of the processor time. Runs in a sandbox of the image.
set -e
mkdir -p /tmp/data
echo 1 > /tmp/data/myid
cat > /tmp/zoo.cfg <<CONFIG
dataDir=/tmp/data
initLimit=10
syncLimit=5
standaloneEnabled=false
reconfigEnabled=true
4lw.commands.whitelist=*
admin.serverPort=8080
server.1=127.0.0.1:2888:3888;2181
CONFIG
export SERVER_JVMFLAGS="-Xmx128m -XX:ArchiveClassesAtExit=/tmp/classes.jsa"
zkServer.sh start-foreground /tmp/zoo.cfg > /tmp/log 2>&1 &
server=$!
for _ in $(seq 200); do
  kill -0 "$server" 2>/dev/null || break
  if zkServer.sh status /tmp/zoo.cfg 2>/dev/null | grep -q '^Mode: leader'; then
    kill "$server"
    wait "$server" || true
    # Only a server that served leaves an archive: one of a failed start would hold too little.
    exec cp /tmp/classes.jsa /out/
  fi
  read -rt 0.1 <> <(:) || true
done
tail -n 5 /tmp/log >&2
exit 1
