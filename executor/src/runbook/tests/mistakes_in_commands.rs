//! Every kind of mistake in commands, and in what only shows in the whole.

use super::base::with;
use super::mistakes::{check, check_text};

#[test]
fn of_commands() {
    let cases = [
        (
            "«kubeclt get pods",
            "command-unknown",
            "did you mean `kubectl`?",
        ),
        (
            "«rm -rf /",
            "command-unknown",
            "known here: `kubectl`, `flyway`",
        ),
        (
            "«rollback db fnce",
            "command-unknown",
            "did you mean `rollback db fence`?",
        ),
        (
            "«kubectl delete deployment",
            "command-unknown",
            "known here: `kubectl get deployments`",
        ),
        (
            "rollback db fence «now",
            "command-unknown",
            "`now` means nothing after `rollback db fence`",
        ),
        (
            "rollback db fence «--force",
            "flag-unknown",
            "has no flag `--force`",
        ),
        (
            "rollback db fence «--name=x",
            "flag-unknown",
            "takes no flags",
        ),
        ("«rollback db replay", "flag-missing", "add `--log`"),
        (
            "rollback db replay --log «--log",
            "flag-duplicate",
            "`--log` is given twice",
        ),
        (
            "rollback db replay «--log=all",
            "flag-value",
            "takes no value",
        ),
        ("«rollback db snapshot", "flag-missing", "lacks `--name`"),
        (
            "rollback db snapshot «--name",
            "flag-value",
            "lacks its value",
        ),
        (
            "rollback db snapshot --name «Before!",
            "command-name",
            "not a database's name",
        ),
        (
            "rollback db restore --snapshot «befor",
            "snapshot-unknown",
            "did you mean `before`?",
        ),
        (
            "«flyway undo",
            "flag-missing",
            "add `-target $TARGET_SCHEMA`",
        ),
        (
            "flyway undo -target=«1",
            "flag-value",
            "expected `$TARGET_SCHEMA`",
        ),
        (
            "«flyway undoo -target=$TARGET_SCHEMA",
            "command-unknown",
            "did you mean `flyway undo`?",
        ),
        (
            "kubectl get deployments -n «other -o yaml",
            "namespace",
            "not the front matter's `web`",
        ),
        (
            "kubectl get deployments --namespace=«other -o yaml",
            "namespace",
            "write `-n web`",
        ),
        (
            "«kubectl get deployments -o yaml",
            "flag-missing",
            "add `--namespace web`",
        ),
        (
            "kubectl get deployments -n web -o «json",
            "flag-value",
            "expected `yaml`",
        ),
        (
            "kubectl get deployments -n web -o yaml «-l app=x",
            "flag-unknown",
            "this command takes `--namespace`, `--output`",
        ),
        (
            "kubectl get deployments «--namepsace web -o yaml",
            "flag-unknown",
            "did you mean `--namespace`?",
        ),
        (
            "kubectl patch configmap «Trading -n web --type merge -p '{\"data\":{\"a\":\"b\"}}'",
            "command-name",
            "name of a ConfigMap",
        ),
        (
            "kubectl patch configmap trading -n web --type «json -p '{\"data\":{\"a\":\"b\"}}'",
            "flag-value",
            "expected `merge`",
        ),
        (
            "kubectl patch configmap trading -n web --type merge -p «{\"data\":{\"a\":\"b\"}}",
            "patch",
            "not JSON",
        ),
        (
            "kubectl patch configmap trading -n web --type merge -p «'{\"data\":{\"a\":1}}'",
            "patch",
            "exactly one key",
        ),
        (
            "kubectl patch configmap trading -n web --type merge -p «'{\"data\":{\"a\":\"b\",\"c\":\"d\"}}'",
            "patch",
            "exactly one key",
        ),
        (
            "kubectl get --raw «/healthz",
            "endpoint",
            "not one that is checked",
        ),
        (
            "kubectl get --raw «/api/v1/namespaces/other/pods/$POD:8080/proxy/health",
            "namespace",
            "not the front matter's",
        ),
        (
            "kubectl get --raw «/api/v1/namespaces/web/pods/$PD:8080/proxy/health",
            "endpoint",
            "$POD:8080/proxy/health",
        ),
        (
            "kubectl get --raw «/api/v1/namespaces/web/pods/$POD/proxy/healthz",
            "endpoint",
            "or with `$POD` alone for the first port",
        ),
        (
            "kubectl get --raw «/api/v1/namespaces/web/pods/$POD:http/proxy/health",
            "endpoint",
            "takes the number of a pod's port, and no name",
        ),
        (
            "kubectl get --raw «/api/v1/namespaces/web/pods/$POD:0/proxy/health",
            "endpoint",
            "the number of the port",
        ),
        (
            "kubectl get --raw «/api/v1/namespaces/web/pods/$POD:65536/proxy/health",
            "endpoint",
            "the number of the port",
        ),
        (
            "kubectl get --raw «/api/v1/namespaces/web/pods/$POD:+80/proxy/health",
            "endpoint",
            "the number of the port",
        ),
        ("promql «'sum(rate(x[5m])'", "promql", "not PromQL"),
        (
            "«promql sum by x",
            "command-unknown",
            "the query in single quotes",
        ),
        (
            "promql «'rate(x[$WINDWO])'",
            "placeholder",
            "did you mean `$WINDOW`?",
        ),
        (
            "promql «'rate(x{app=\"$SERVICE\"}[$WINDOW])'",
            "placeholder",
            "add the attribute `\"rb.for-each\":\"service\"`",
        ),
        (
            "promql «'rate(x[${WINDOW}])'",
            "placeholder",
            "write `$WINDOW`",
        ),
        (
            "promql «'rate(x{pod=\"$POD\"}[$WINDOW])'",
            "placeholder",
            "`$POD` means nothing in this command",
        ),
        (
            "logcli query «'{app=\"x\"}'",
            "logql",
            "yields lines, not a number",
        ),
        (
            "logcli query «'count_over_time(app[1m])'",
            "logql",
            "selects no stream",
        ),
        (
            "logcli query «'count_over_time({app=\"x\"}[1m]'",
            "logql",
            "not closed",
        ),
        (
            "logcli «qeury 'x'",
            "command-unknown",
            "did you mean `logcli query`?",
        ),
        (
            "kubectl get --raw /api/v1/namespaces/web/pods/$POD:8080/proxy/metrics | grep «'requests_.*503'",
            "counter",
            "not a counter as it stands on the page",
        ),
        (
            "kubectl get --raw «/api/v1/namespaces/web/pods/$POD:8080/proxy/health | grep requests_total",
            "endpoint",
            "counters are on the page `metrics`",
        ),
        (
            "kubectl get --raw /api/v1/namespaces/web/pods/$POD:8080/proxy/metrics «| head",
            "command-shell",
            "`|` would need a shell",
        ),
        (
            "kubectl get deployments -n web -o yaml «| grep image",
            "command-shell",
            "`|` would need a shell",
        ),
        (
            "rollback db fence «| tee log",
            "command-shell",
            "`|` would need a shell",
        ),
        (
            "rollback db fence «&& rollback db unfence",
            "command-shell",
            "one plain command",
        ),
        (
            "rollback db fence «> log",
            "command-shell",
            "Quote the character",
        ),
        (
            "rollback db snapshot --name «$(date)",
            "command-shell",
            "`$(` would need a shell",
        ),
        (
            "rollback db fence\n«rollback db unfence",
            "command-second",
            "a second command in one block",
        ),
        (
            "rollback db snapshot --name «'before",
            "command-quote",
            "never closed",
        ),
        (
            "rollback db snapshot «–name before",
            "command-character",
            "an en dash (U+2013) in a command",
        ),
        (
            "rollback db snapshot --name «“before”",
            "command-character",
            "type `\"`",
        ),
        (
            "rollback«\u{a0}db fence",
            "command-character",
            "type a plain space",
        ),
        (
            "roll«\u{200b}back db fence",
            "command-character",
            "a zero-width space (U+200B)",
        ),
        (
            "promql 'rate(x«\u{a0}[$WINDOW])'",
            "command-character",
            "a non-breaking space (U+00A0)",
        ),
        (
            "promql 'rate(x{a=«“b”}[$WINDOW])'",
            "promql",
            "it holds a curly quotation mark (U+201C)",
        ),
        (
            "kubectl get deployments -n web \\« \n  -o yaml",
            "command-continuation",
            "the last character of its line",
        ),
        (
            "kubectl get deployments -n web -o yaml «--watch=false",
            "flag-unknown",
            "the executor waits by itself",
        ),
        (
            "kubectl get deployments -n web -o yaml «--dry-run=server",
            "flag-unknown",
            "kubectl has it",
        ),
        (
            "kubectl get deployments -n web -o yaml «-F",
            "flag-unknown",
            "known here: `--namespace`",
        ),
        (
            "kubectl get deployments «-N web -o yaml",
            "flag-unknown",
            "did you mean `-n`?",
        ),
        (
            "kubectl get deployments -n web -o yaml «--timeout=60s",
            "flag-unknown",
            "a step's budget is its attribute `rb.timeout`",
        ),
        (
            "kubectl get --raw /api/v1/namespaces/web/pods/$POD:8080/proxy/metrics | grep «-c requests_total",
            "flag-unknown",
            "`grep` has no flag `-c` here",
        ),
        (
            "promql 'rate(x[«1e30])'",
            "promql",
            "the duration `1e30` is out of range",
        ),
        (
            "logcli query 'count_over_time({app=\"x\"}[«1e30])'",
            "logql",
            "the duration `1e30` is none",
        ),
        (
            "logcli query 'count_over_time({app=\"x\"}[«99999999999999999999h])'",
            "logql",
            "out of range",
        ),
        ("«$ rollback db fence", "command-prompt", "without the `$ `"),
        ("", "command-missing", "holds no command"),
        ("# only a comment", "command-missing", "holds no command"),
    ];
    for (to, code, said) in cases {
        let query = ["promql", "logcli", "grep"]
            .iter()
            .any(|it| to.contains(it));
        let expect = if query { ",\"rb.expect\":\"< 1\"" } else { "" };
        let block = format!(
            "```sh {{\"name\":\"extra\",\"rb.phase\":\"run\",\"rb.timeout\":\"1s\"{expect}}}\n{to}\n```\n"
        );
        let block = if to.contains('«') {
            block
        } else {
            block.replace("\"}\n", "\"}\n«")
        };
        let text = with("Prose.\n", &block);
        // `command-unknown` for a wrong word may point at the whole command.
        let text = if to == "logcli «qeury 'x'" {
            text.replace("logcli «", "«logcli ")
        } else {
            text
        };
        check_text(&text, code, said);
    }
}

#[test]
fn of_services() {
    check(&[
        (
            "rollout status deployment/$SERVICE",
            "rollout status deployment/«gateway",
            "service-literal",
            "one service",
        ),
        (
            "rollout status deployment/$SERVICE",
            "rollout status deployment/«gatway",
            "service-literal",
            "not a service of the front matter",
        ),
        (
            "logs -n web -l app=$SERVICE",
            "logs -n web -l app=«gateway",
            "service-literal",
            "rolled back as a whole",
        ),
        (
            "logs -n web -l app=$SERVICE",
            "logs -n web -l «app==$SERVICE",
            "flag-value",
            "expected `app=$SERVICE`",
        ),
        (
            "--since=10m",
            "--since=«ever",
            "flag-value",
            "`ever` is not a duration",
        ),
        (
            "config restore --service $SERVICE",
            "config restore --service «all",
            "service-literal",
            "write `$SERVICE`",
        ),
        (
            "--to-revision=$TARGET_REVISION",
            "--to-revision=«3",
            "flag-value",
            "expected `$TARGET_REVISION`",
        ),
        (
            "kubectl rollout status deployment/$SERVICE -n web",
            "«kubectl rollout status -n web",
            "command-unknown",
            "needs one Deployment",
        ),
        (
            "kubectl rollout status deployment/$SERVICE -n web",
            "«kubectl rollout restart deployment/$SERVICE -n web",
            "command-unknown",
            "known here",
        ),
        (
            "kubectl rollout status deployment/$SERVICE -n web",
            "kubectl rollout status deployment/$SERVICE -n web --timeout=«soon",
            "flag-value",
            "for instance `--timeout=20s`",
        ),
        (
            r#""name":"status","rb.phase":"run","rb.timeout":"20s","rb.for-each":"service""#,
            r#""name":"status","rb.phase":"run","rb.timeout":"20s","rb.for-each":«"services""#,
            "attribute-value",
            "did you mean `service`?",
        ),
        (
            "```sh {\"name\":\"health\",\"rb.phase\":\"run\",\"rb.timeout\":\"5s\"}\n",
            "```sh {\"name\":\"health\",\"rb.phase\":\"run\",\"rb.timeout\":\"5s\",\"rb.for-each\":\"service\"}\n«",
            "for-each-unused",
            "no `$SERVICE` in it",
        ),
        (
            "\"rb.timeout\":\"20s\",\"rb.for-each\":\"service\"}\nkubectl rollout status deployment/",
            "\"rb.timeout\":\"20s\"}\nkubectl rollout status deployment/«",
            "placeholder",
            "outside a step for each service",
        ),
    ]);
}

#[test]
fn of_the_whole() {
    check(&[
        (
            r#""name":"scenario""#,
            r#""name":«"health""#,
            "name-duplicate",
            "the first one is on line 86",
        ),
        (
            r#""name":"errors","rb.phase":"run","rb.timeout":"160s""#,
            r#""name":"errors","rb.phase":"run","rb.timeout":«"290s""#,
            "budget",
            "`errors` has the largest budget",
        ),
        (
            r#""name":"restore","rb.phase":"run","rb.timeout":"10s""#,
            r#""name":"restore","rb.phase":"run","rb.timeout":«"200s""#,
            "budget",
            "the steps of the restore path may take",
        ),
        (
            r#""name":"status","rb.phase":"run","rb.timeout":"20s""#,
            r#""name":"status","rb.phase":"run","rb.timeout":«"100s""#,
            "budget",
            "100s for each of 2 services",
        ),
        (
            r#""name":"errors","rb.phase":"run","rb.timeout":"160s""#,
            r#""name":"errors","rb.phase":"run","rb.timeout":«"301s""#,
            "attribute-range",
            "at most 300s, the RTO",
        ),
    ]);
    let other = with("snapshot --name before", "snapshot --name after")
        .replace("--snapshot before", "--snapshot «before");
    check_text(&other, "snapshot-unknown", "known here: `after`");
    let none = with(
        "rollback db snapshot --name before",
        "kubectl get deployments -n web -o yaml",
    )
    .replace("--snapshot before", "--snapshot «before");
    check_text(
        &none,
        "snapshot-unknown",
        "add a step `rollback db snapshot --name before`",
    );
}
