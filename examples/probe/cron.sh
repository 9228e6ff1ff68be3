#!/bin/sh
# A probe every five minutes without Docker: the system's own cron, and its own Redis.
#
#   sudo apt install redis-server cron
#   pip install 'openrouter_resilient[redis]'
#   cd /srv/app && sh cron.sh        # in the folder whose .env holds the keys
#
# Cron knows nothing of your shell's variables, so REDIS_URL goes into that .env, too. Started again,
# it changes nothing.
set -eu

touch .env && chmod 600 .env
if ! grep -q '^REDIS_URL=' .env; then
    echo "REDIS_URL=${REDIS_URL:-redis://localhost:6379/0}" >> .env
fi

# Once by hand: are the keys right, and is Redis there? An exit code of 1 says that a route is down,
# which is what a probe is for.
openrouter-resilient probe --once || test $? -eq 1

lines=$(openrouter-resilient probe --print-cron)
if ! crontab -l 2> /dev/null | grep -qFe "$(echo "$lines" | tail -n 1)"; then
    { crontab -l 2> /dev/null || true; echo "$lines"; } | crontab -
fi

openrouter-resilient health || test $? -eq 1
