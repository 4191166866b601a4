//! The kubeconfig of a served world.

use std::net::SocketAddr;

/// A kubeconfig that leads to the API server at `address`, with its token, in `namespace`. The token is in the server's
/// path, too, since `kubectl` sends none without TLS.
#[must_use]
pub fn kubeconfig(address: SocketAddr, token: &str, namespace: &str) -> String {
    // JSON is YAML, and needs no quoting rules of our own.
    let config = serde_json::json!({
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "firedrill",
        "clusters": [{"name": "firedrill", "cluster": {"server": format!("http://{address}/{token}")}}],
        "users": [{"name": "firedrill", "user": {"token": token}}],
        "contexts": [{
            "name": "firedrill",
            "context": {"cluster": "firedrill", "user": "firedrill", "namespace": namespace},
        }],
    });
    format!("{config:#}\n")
}
