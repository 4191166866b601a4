# Makes the cluster at the first start, then becomes the server. Understands POSTGRES_USER, POSTGRES_PASSWORD, POSTGRES_DB
# and /docker-entrypoint-initdb.d/*.sql as the official image does.
set -eu

# `-c option=value` alone means the server with that option.
if [ "${1#-}" != "$1" ]; then
    set -- postgres "$@"
fi
if [ "$1" != postgres ]; then
    exec "$@"
fi

if [ "$(id -u)" -eq 0 ]; then
    install -d -o postgres -g postgres -m 0700 "$PGDATA"
    install -d -o postgres -g postgres -m 2775 /run/postgresql
    exec setpriv --reuid postgres --regid postgres --init-groups -- sh "$0" "$@"
fi

if [ ! -e "$PGDATA/PG_VERSION" ]; then
    superuser=${POSTGRES_USER:-postgres}
    database=${POSTGRES_DB:-$superuser}
    secret=$(mktemp)
    printf '%s\n' "${POSTGRES_PASSWORD:?set a password for the superuser}" > "$secret"
    initdb --username="$superuser" --pwfile="$secret" --auth-local=trust --auth-host=scram-sha-256
    rm "$secret"
    echo 'host all all all scram-sha-256' >> "$PGDATA/pg_hba.conf"

    # Reachable through the socket only, until it is ready. Its log goes to the standard output, the final server's to the
    # standard error: whoever waits for a start waits for the second.
    pg_ctl start --wait --options="-c listen_addresses=''"
    if [ "$database" != postgres ]; then
        createdb --username="$superuser" "$database"
    fi
    for script in /docker-entrypoint-initdb.d/*.sql; do
        if [ -f "$script" ]; then
            psql --username="$superuser" --dbname="$database" --set=ON_ERROR_STOP=1 --file="$script"
        fi
    done
    pg_ctl stop --wait --mode=fast
fi

# The last option wins, and the caller's come last.
shift
exec postgres -c listen_addresses='*' "$@"
