# Runs in the cluster's node: takes the chains away by which drills refuse packets, all of them or those in $1.
for chain in ${1:-FIREDRILL-DATABASE FIREDRILL-KUBERNETES}; do
    for hook in INPUT FORWARD; do
        while iptables -w 5 -D $hook -j $chain 2>/dev/null; do :; done
    done
    iptables -w 5 -F $chain 2>/dev/null
    iptables -w 5 -X $chain 2>/dev/null
done
true
