//! Validation of a Service (`pkg/apis/core/validation/validation.go` validateService). Addresses are not looked at, and
//! neither is what a load balancer alone has.

use super::field_errors::Errors;
use super::field_path::FieldPath;
use super::pod_spec::{label_map, protocol};
use super::{names, probes};
use crate::cluster::json::{Value, json};
use crate::cluster::value::{at, int, items, keep, set, text};

/// The numbers of ports that nodes give to Services by default (`--service-node-port-range`).
const NODE_PORTS: std::ops::RangeInclusive<i64> = 30_000..=32_767;
/// Longest time for which a client is sent to the same pod, seconds (`MaxClientIPServiceAffinitySeconds`).
const AFFINITY_MOST_S: i64 = 86_400;

/// Checks what a Service holds.
pub(super) fn service(object: &Value, errors: &mut Errors) {
    let before = errors.count();
    let top = FieldPath::Top;
    let shown = top.child("spec");
    let spec = at(object, &["spec"]).unwrap_or(&Value::Null);
    let of_type = text(spec, &["type"]);
    let headless = text(spec, &["clusterIP"]) == "None";
    let ports = items(spec, &["ports"]);
    let list = shown.child("ports");
    if ports.is_empty() && !headless && of_type != "ExternalName" {
        errors.required(&list);
    }
    if headless && matches!(of_type, "LoadBalancer" | "NodePort") {
        let why = format!("may not be set to 'None' for {of_type} services");
        let ips = shown.child("clusterIPs");
        errors.invalid(&ips.index(0), &"None".into(), &why);
    }
    if of_type == "ExternalName" {
        let name = text(spec, &["externalName"]);
        let name = name.strip_suffix('.').unwrap_or(name);
        let shown = shown.child("externalName");
        if name.is_empty() {
            errors.required(&shown);
        } else {
            errors.each_invalid(&shown, &name.to_owned().into(), &names::subdomain(name));
        }
    }
    for (nth, port) in ports.iter().enumerate() {
        one_port(
            port,
            &ports[..nth],
            ports.len() > 1,
            &list.index(nth),
            errors,
        );
    }
    label_map(spec, &["selector"], &shown.child("selector"), errors);
    affinity(spec, &shown, errors);
    let types = ["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"];
    if !types.contains(&of_type) {
        errors.not_supported(&shown.child("type"), of_type, &types);
    }
    for (nth, port) in ports.iter().enumerate() {
        if of_type == "ClusterIP" && int(port, &["nodePort"]).unwrap_or(0) != 0 {
            let here = list.index(nth);
            let why = "may not be used when `type` is 'ClusterIP'";
            errors.forbidden(&here.child("nodePort"), why);
        }
    }
    twice(ports, "nodePort", &list, errors);
    twice(ports, "port", &list, errors);
    traffic(spec, of_type, &shown, errors);
    // They are given out once nothing else is wrong, one after the other (`pkg/registry/core/service/storage/alloc.go`
    // initNodePorts).
    let mut asked = ports
        .iter()
        .map(|port| int(port, &["nodePort"]).unwrap_or(0));
    let unfit = |number: &i64| *number != 0 && !NODE_PORTS.contains(number);
    if let Some(nth) = asked
        .position(|it| unfit(&it))
        .filter(|_| errors.count() == before)
    {
        let number = ports[nth].get("nodePort").unwrap_or(&Value::Null);
        let (least, most) = (NODE_PORTS.start(), NODE_PORTS.end());
        let why = format!(
            "provided port is not in the valid range. The range of valid ports is {least}-{most}"
        );
        let here = list.index(nth);
        errors.invalid(&here.child("nodePort"), number, &why);
    }
}

/// `pkg/registry/core/service/storage/storage.go` patchAllocatedValues: an update that names no address keeps the one
/// that there is.
pub(crate) fn fill_in_addresses(old: &Value, new: &mut Value) {
    let outside = |of: &Value| text(of, &["spec", "type"]) == "ExternalName";
    if outside(old) || outside(new) {
        return;
    }
    if text(new, &["spec", "clusterIP"]).is_empty() {
        keep(new, &["spec", "clusterIP"], old);
    }
    let same = text(new, &["spec", "clusterIP"]) == text(old, &["spec", "clusterIP"]);
    if same && items(new, &["spec", "clusterIPs"]).is_empty() {
        keep(new, &["spec", "clusterIPs"], old);
    }
    let key = |port: &Value| {
        let protocol = text(port, &["protocol"]).to_owned();
        (int(port, &["port"]), protocol)
    };
    let before = items(old, &["spec", "ports"]);
    if !on_nodes(new) {
        return;
    }
    let ports = new.get_mut("spec").and_then(|spec| spec.get_mut("ports"));
    for port in ports.and_then(Value::as_array_mut).into_iter().flatten() {
        let was = before.iter().find(|was| key(was) == key(port));
        let number = was.and_then(|was| was.get("nodePort")).cloned();
        if let Some(number) = number.filter(|_| int(port, &["nodePort"]).unwrap_or(0) == 0) {
            set(port, &["nodePort"], number);
        }
    }
}

/// Whether nodes listen for a Service.
fn on_nodes(service: &Value) -> bool {
    matches!(
        text(service, &["spec", "type"]),
        "LoadBalancer" | "NodePort"
    )
}

/// What Services have been given so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct Given {
    addresses: u32,
    node_ports: u32,
}

impl Given {
    /// Gives a Service the address and the ports of nodes that it needs and has not got
    /// (`pkg/registry/core/service/storage/alloc.go` allocateCreate). One after the other, where the real server draws.
    pub(crate) fn to(&mut self, service: &mut Value) {
        match text(service, &["spec", "type"]) {
            "ExternalName" => return,
            _ if text(service, &["spec", "clusterIP"]).is_empty() => {
                self.addresses += 1;
                let n = self.addresses;
                let ip = format!("10.96.{}.{}", n >> 8 & 0xff, n & 0xff);
                set(service, &["spec", "clusterIP"], ip);
            }
            _ => {}
        }
        if items(service, &["spec", "clusterIPs"]).is_empty() {
            let ip = text(service, &["spec", "clusterIP"]).to_owned();
            set(service, &["spec", "clusterIPs"], json!([ip]));
        }
        if !on_nodes(service) {
            return;
        }
        let ports = service
            .get_mut("spec")
            .and_then(|spec| spec.get_mut("ports"));
        for port in ports.and_then(Value::as_array_mut).into_iter().flatten() {
            if int(port, &["nodePort"]).unwrap_or(0) == 0 {
                let number = NODE_PORTS.start() + i64::from(self.node_ports);
                self.node_ports += 1;
                set(port, &["nodePort"], number);
            }
        }
    }
}

/// `validateUpgradeDowngradeClusterIPs`: an address stays, except from and to a name outside.
pub(super) fn keeps_addresses(old: &Value, new: &Value, errors: &mut Errors) {
    let outside = |of: &Value| text(of, &["spec", "type"]) == "ExternalName";
    if outside(old) || outside(new) {
        return;
    }
    let path = ["spec", "clusterIPs"];
    let (before, after) = (items(old, &path), items(new, &path));
    for (nth, (was, is)) in before.iter().zip(after).enumerate() {
        if was != is {
            let field = format!("spec.clusterIPs[{nth}]");
            let value = Value::from(after.to_vec());
            errors.invalid(&field, &value, "may not change once set");
        }
    }
}

/// `validateServicePort`. A port needs a name where there are several.
fn one_port(
    port: &Value,
    before: &[Value],
    needs_name: bool,
    shown: &FieldPath<'_>,
    errors: &mut Errors,
) {
    let name = text(port, &["name"]);
    let named = shown.child("name");
    if !name.is_empty() {
        let value = Value::from(name.to_owned());
        errors.each_invalid(&named, &value, &names::label(name));
        if before.iter().any(|other| text(other, &["name"]) == name) {
            errors.duplicate(&named, &value);
        }
    } else if needs_name {
        errors.required(&named);
    }
    let number = int(port, &["port"]).unwrap_or(0);
    let wrong = names::port_number(number);
    errors.each_invalid(&shown.child("port"), &number.into(), &wrong);
    protocol(port, shown, errors);
    probes::port(port.get("targetPort"), &shown.child("targetPort"), errors);
    if let Some(of_application) = port.get("appProtocol") {
        let wrong = names::qualified(of_application.as_str().unwrap_or(""));
        errors.each_invalid(&shown.child("appProtocol"), of_application, &wrong);
    }
}

/// The same number may stand once for each protocol.
fn twice(ports: &[Value], field: &str, list: &FieldPath<'_>, errors: &mut Errors) {
    let key = |port: &Value| {
        (
            int(port, &[field]).unwrap_or(0),
            text(port, &["protocol"]).to_owned(),
        )
    };
    for (nth, port) in ports.iter().enumerate() {
        let here = key(port);
        let counts = field == "port" || here.0 != 0;
        if !counts || !ports[..nth].iter().any(|other| key(other) == here) {
            continue;
        }
        let shown = list.index(nth);
        if field == "port" {
            // The whole port is what upstream prints, without its other fields.
            let (number, protocol) = &here;
            let value = format!(
                r#"{{"Name":"","Protocol":"{protocol}","AppProtocol":null,"Port":{number},"TargetPort":0,"NodePort":0}}"#
            );
            errors.duplicate(&shown, &value);
        } else {
            errors.duplicate(&shown.child(field), &here.0);
        }
    }
}

fn affinity(spec: &Value, shown: &FieldPath<'_>, errors: &mut Errors) {
    match text(spec, &["sessionAffinity"]) {
        "ClientIP" => {
            let path = ["sessionAffinityConfig", "clientIP", "timeoutSeconds"];
            if let Some(s) = int(spec, &path).filter(|s| !(1..=AFFINITY_MOST_S).contains(s)) {
                let why = format!("must be greater than 0 and less than {AFFINITY_MOST_S}");
                let config = shown.child(path[0]);
                let client = config.child(path[1]);
                errors.invalid(&client.child(path[2]), &s.into(), &why);
            }
        }
        "None" => {}
        other => {
            errors.not_supported(
                &shown.child("sessionAffinity"),
                other,
                &["ClientIP", "None"],
            );
        }
    }
}

/// The three policies of whom traffic goes to.
fn traffic(spec: &Value, of_type: &str, shown: &FieldPath<'_>, errors: &mut Errors) {
    let from_outside = matches!(of_type, "LoadBalancer" | "NodePort")
        || of_type == "ClusterIP" && !items(spec, &["externalIPs"]).is_empty();
    let field = shown.child("externalTrafficPolicy");
    match text(spec, &["externalTrafficPolicy"]) {
        // The default stands there where one is needed.
        "" => {}
        policy if !from_outside => {
            let why = "may only be set for externally-accessible services";
            errors.invalid(&field, &policy.to_owned().into(), why);
        }
        "Cluster" | "Local" => {}
        other => errors.not_supported(&field, other, &["Cluster", "Local"]),
    }
    for (field, known) in [
        ("internalTrafficPolicy", &["Cluster", "Local"][..]),
        (
            "trafficDistribution",
            &["PreferClose", "PreferSameZone", "PreferSameNode"],
        ),
    ] {
        match spec.get(field).and_then(Value::as_str) {
            Some(word) if !known.contains(&word) => {
                errors.not_supported(&shown.child(field), word, known);
            }
            _ => {}
        }
    }
}
