//! What the files to begin with say of a data store: where the manifests hold migration files, there is one.

use sim_services::describe::{App, latest_migration};
use sim_services::manifests::{Manifests, Object};

/// Words in a pod template of whoever uses a database.
const USES: [&str; 6] = ["postgres", "mysql", "jdbc", "database", "pghost", "db_host"];

/// A ConfigMap with migration files, and who most likely works on the database that they are for.
pub(super) struct Found {
    scripts: String,
    schema: u32,
    services: Vec<usize>,
}

/// The migration files of the manifests. `order` has the services, whoever is called first.
pub(super) fn found(app: &App, manifests: &Manifests, order: &[usize]) -> Option<Found> {
    let own =
        |it: &&Object| it.kind() == "ConfigMap" && it.namespace() == Some(app.namespace.as_str());
    let mut maps = manifests.objects.iter().filter(own);
    let (scripts, schema) =
        maps.find_map(|it| Some((it.name().to_owned(), latest_migration(it)?)))?;
    let uses = |at: &usize| {
        let name = app.services.get(*at).map(|it| it.name.as_str());
        let mut workloads = manifests.workloads();
        let object = workloads.find(|(object, _)| Some(object.name()) == name);
        let text = object.map(|(it, _)| it.at(&["spec", "template", "spec"]).to_string());
        let text = text.unwrap_or_default().to_lowercase();
        text.contains(&scripts) || USES.iter().any(|word| text.contains(word))
    };
    let mut services: Vec<usize> = order.iter().copied().filter(uses).collect();
    if services.is_empty() {
        services.extend(order.first());
    }
    Some(Found {
        scripts,
        schema,
        services,
    })
}

/// The table of the store in the description, or how one would look.
pub(super) fn section(app: &App, found: Option<&Found>) -> String {
    let Some(found) = found else {
        return "\n# Is there a database that releases migrate? Put Flyway's files into a ConfigMap, and say:\n\
                # [store]\n\
                # services = [\"NAME\"]\n\
                # scripts = \"CONFIGMAP\"\n\
                # schema = 1\n"
            .to_owned();
    };
    let Found {
        scripts,
        schema,
        services,
    } = found;
    let name = |at: &usize| app.services.get(*at).map(|it| it.name.as_str());
    let names: Vec<&str> = services.iter().filter_map(name).collect();
    format!(
        "\n# Flyway's files were found in a ConfigMap. Who reads and writes the database? Each of them can say in its\n\
         # `needs` which schema it works on, for instance needs = {{ schema = \"{schema}\", otherwise = \"exits\" }}.\n\
         [store]\n\
         services = {names:?}\n\
         scripts = {scripts:?}\n\
         # The version before a deployment. A release that brings a file says: migrations = [\"V{next}__WHAT.sql\"]\n\
         schema = {schema}\n\
         # Is every write also in a log, from which a restore can be completed?\n\
         log = false\n",
        next = schema + 1,
    )
}

/// What the front matter of the runbook says of it, with the line's end.
pub(super) fn front_matter(found: Option<&Found>) -> String {
    found.map_or(String::new(), |it| {
        format!(
            "migrations: {}\nrecords: writes\nhalts: writing\n",
            it.scripts
        )
    })
}

/// The steps ahead of the rollback of the application, and those behind it.
pub(super) fn steps(found: Option<&Found>) -> (&'static str, &'static str) {
    if found.is_none() {
        return ("", "");
    }
    (
        r#"
# Take the database back

Only where a release has migrated it to what the code before can't read. A file says so in its first line,
`-- rollback: compatible`, and an undo script `-- rollback: lossless`. Where there is none such, a person is called.

```sh {"name":"fence","rb.phase":"run","rb.timeout":"4s","rb.when":"ledger.breaking"}
rollback db fence
```

```sh {"name":"undo-schema","rb.phase":"run","rb.timeout":"10s","rb.when":"ledger.undo"}
flyway undo -target=$TARGET_SCHEMA
```
"#,
        r#"
```sh {"name":"unfence","rb.phase":"run","rb.timeout":"3s","rb.when":"ledger.breaking"}
rollback db unfence
```
"#,
    )
}
