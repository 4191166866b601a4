//! A small runbook without a mistake, and a way to put one into it.

use crate::runbook::{Mistake, Parsed, Runbook};

/// Legal, complete, and nothing is unwise about it.
pub(super) const GOOD: &str = r#"---
rto: 300s
rpo: 0
validation-window: 1h
namespace: web
services: [matching, gateway]
prometheus: http://prometheus:9090
loki: http://loki:3100/
triggers:
  - name: slow
    class: sla
    query: histogram_quantile(0.99, sum by (le) (rate(seconds_bucket[30s])))
    condition: "> 0.1"
    for: 20s
---
# Go back

Prose.

## Record

```sh {"name":"record","rb.phase":"prepare","rb.timeout":"60s"}
kubectl get deployments -n web -o yaml
```

```sh {"name":"snapshot","rb.phase":"prepare","rb.timeout":"400s"}
rollback db snapshot --name before
```

## Halt

```sh {"name":"halt","rb.phase":"run","rb.timeout":"5s","rb.when":"ledger.breaking"}
kubectl patch configmap trading -n web --type merge -p '{"data":{"mode":"halted"}}'
```

```sh {"name":"fence","rb.phase":"run","rb.timeout":"5s","rb.when":"ledger.breaking"}
rollback db fence
```

## Save the logs

```sh {"name":"logs","rb.phase":"run","rb.timeout":"4s","rb.for-each":"service","rb.on-fail":"continue"}
kubectl logs -n web -l app=$SERVICE --timestamps --since=10m --tail=-1
```

## Correct the ledger

```sh {"name":"undo-schema","rb.phase":"run","rb.timeout":"10s","rb.when":"ledger.undo"}
flyway undo -target=$TARGET_SCHEMA
```

```sh {"name":"restore","rb.phase":"run","rb.timeout":"10s","rb.when":"ledger.restore"}
rollback db restore --snapshot before
```

```sh {"name":"replay","rb.phase":"run","rb.timeout":"5s","rb.when":"ledger.restore"}
rollback db replay --log
```

## Undo

```sh {"name":"config","rb.phase":"run","rb.timeout":"2s","rb.for-each":"service","rb.when":"config.changed"}
rollback config restore --service $SERVICE
```

```sh {"name":"resume","rb.phase":"run","rb.timeout":"2s","rb.for-each":"service","rb.when":"deployment.paused"}
kubectl rollout resume deployment/$SERVICE -n web
```

```sh {"name":"undo","rb.phase":"run","rb.timeout":"3s","rb.for-each":"service"}
kubectl rollout undo deployment/$SERVICE \
  -n web --to-revision=$TARGET_REVISION
```

```sh {"name":"status","rb.phase":"run","rb.timeout":"20s","rb.for-each":"service"}
kubectl rollout status deployment/$SERVICE -n web
```

## Check

```sh {"name":"replica-sets","rb.phase":"run","rb.timeout":"3s","rb.for-each":"service"}
kubectl get replicasets -n web -l app=$SERVICE
```

```sh {"name":"health","rb.phase":"run","rb.timeout":"5s"}
kubectl get --raw /api/v1/namespaces/web/pods/$POD:8080/proxy/health
```

```sh {"name":"build","rb.phase":"run","rb.timeout":"5s"}
kubectl get --raw /api/v1/namespaces/web/pods/$POD:9000/proxy/metrics
```

```sh {"name":"unfence","rb.phase":"run","rb.timeout":"5s","rb.when":"ledger.breaking"}
rollback db unfence
```

```sh {"name":"flow","rb.phase":"run","rb.timeout":"20s","rb.when":"ledger.breaking","rb.expect":"== 0","rb.hold":"1s"}
kubectl get --raw /api/v1/namespaces/web/pods/$POD:8080/proxy/metrics \
  | grep 'requests_total{code="503",maintenance="true"}'
```

```sh {"name":"errors","rb.phase":"run","rb.timeout":"160s","rb.expect":"< 0.0001","rb.min-requests":"30000","rb.requests":"sum(increase(requests_total[$WINDOW]))","rb.hold":"60s"}
promql 'sum(rate(errors_total[$WINDOW])) / sum(rate(requests_total[$WINDOW]))'
```

```sh {"name":"error-logs","rb.phase":"run","rb.timeout":"3s","rb.expect":"< 3"}
logcli query 'sum(count_over_time({app="gateway", level="error"}[$WINDOW]))'
```

## Afterwards

```text
kubectl delete everything
```

```sh {"name":"post-mortem","rb.phase":"after","rb.timeout":"30s"}
rollback post-mortem
```

```sh {"name":"scenario","rb.phase":"after","rb.timeout":"30s"}
rollback scenario
```
"#;

/// [`GOOD`] with `from` (which is there once) replaced by `to`.
pub(super) fn with(from: &str, to: &str) -> String {
    assert_eq!(
        GOOD.matches(from).count(),
        1,
        "`{from}` must be in the text once"
    );
    GOOD.replacen(from, to, 1)
}

/// Takes the marks `«` and `»` out of a text: the text, and line and column of the first mark.
pub(super) fn unmark(text: &str) -> (String, (usize, usize)) {
    let line = text.lines().position(|line| line.contains('«'));
    let line = line.expect("a mark in the text");
    let column = text
        .lines()
        .nth(line)
        .and_then(|it| it.chars().position(|c| c == '«'));
    let clean = text.replace(['«', '»'], "");
    (clean, (line + 1, column.expect("a mark in the line") + 1))
}

pub(super) fn mistakes(text: &str) -> Vec<Mistake> {
    match Runbook::parse("test.md", text) {
        Ok(_) => Vec::new(),
        Err(errors) => errors.mistakes().to_vec(),
    }
}

pub(super) fn parsed(text: &str) -> Parsed {
    match Runbook::parse_and_lint("test.md", text) {
        Ok(parsed) => parsed,
        Err(errors) => panic!("{}", errors.plain()),
    }
}
