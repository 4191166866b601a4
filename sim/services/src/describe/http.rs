//! What a request of a client is on a real cluster: a simulated one has no path.

use serde::Deserialize;
use serde_json::Value;
use toml::Spanned;

use crate::manifests::Object;
use crate::mistake::Mistakes;
use crate::suggest;

/// A request over HTTP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Http {
    /// Its path with its query, from `/` on.
    pub path: String,
    /// Its method.
    pub method: Method,
    /// The port of the Service; its first one where nothing is said. 0: the Service has none.
    pub port: u16,
    /// What is sent with it; nothing where that is empty.
    pub body: String,
    /// What a right answer contains; anything where that is empty.
    pub expect: String,
}

/// A method of HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Reads.
    Get,
    /// Reads without the body.
    Head,
    /// Sends.
    Post,
    /// Puts.
    Put,
    /// Changes.
    Patch,
    /// Deletes.
    Delete,
}

impl Method {
    const ALL: [Self; 6] = [
        Self::Get,
        Self::Head,
        Self::Post,
        Self::Put,
        Self::Patch,
        Self::Delete,
    ];

    /// Its word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawHttp {
    path: Option<Spanned<String>>,
    method: Option<Spanned<String>>,
    port: Option<Spanned<Port>>,
    body: Option<Spanned<String>>,
    expect: Option<Spanned<String>>,
}

/// A port of a Service, by its number or its name.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Port {
    Number(i64),
    Name(String),
}

/// What a client sends to a Service of Kubernetes. Everything that is wrong with it is a mistake; without a Service
/// there is another one already.
pub(super) fn check(m: &mut Mistakes, service: Option<&Object>, raw: Option<&RawHttp>) -> Http {
    let none = RawHttp::default();
    let raw = raw.unwrap_or(&none);
    let text = |given: &Option<Spanned<String>>, default: &str| {
        let given = given.as_ref().map(|it| it.get_ref().clone());
        given.unwrap_or(default.to_owned())
    };
    let path = text(&raw.path, "/");
    if let Some(given) = &raw.path {
        let fits = path.bytes().all(|it| it.is_ascii_graphic() && it != b'#');
        if !path.starts_with('/') || !fits {
            m.add(
                given.span(),
                format!("`{path}` is no path of a request"),
                "must begin with / and hold neither spaces nor #",
                "for instance path = \"/pages?n=1\"; write other characters as %20 and the like",
            );
        }
    }
    let method = text(&raw.method, "GET");
    let found = Method::ALL.iter().find(|it| it.as_str() == method);
    if let (None, Some(given)) = (found, &raw.method) {
        let known = Method::ALL.map(Method::as_str);
        m.add(
            given.span(),
            format!("there is no method `{method}`"),
            "unknown method",
            suggest::help(&method, &known),
        );
    }
    let method = found.copied().unwrap_or(Method::Get);
    let answers = "leave it out, or choose a method whose answer has a body";
    if let (Some(given), Method::Head) = (&raw.expect, method) {
        let message = "the answer to HEAD has no body";
        m.add(given.span(), message, "can't be found", answers);
    }
    if let Some(given) = raw.expect.as_ref().filter(|it| it.get_ref().is_empty()) {
        let help = "write a text that only right answers contain, or leave it out";
        let message = "`expect` is empty";
        m.add(given.span(), message, "every answer contains it", help);
    }
    Http {
        path,
        method,
        port: service.map_or(0, |it| port(m, it, raw.port.as_ref())),
        body: text(&raw.body, ""),
        expect: text(&raw.expect, ""),
    }
}

/// The port of the Service that is meant.
fn port(m: &mut Mistakes, object: &Object, given: Option<&Spanned<Port>>) -> u16 {
    let ports = object.at(&["spec", "ports"]).as_array();
    let ports: &[Value] = ports.map_or(&[], Vec::as_slice);
    let number = |port: &Value| {
        let number = port["port"].as_u64();
        number.and_then(|it| u16::try_from(it).ok()).unwrap_or(0)
    };
    let Some(given) = given else {
        return ports.first().map_or(0, number);
    };
    let (found, said) = match given.get_ref() {
        Port::Number(wanted) => (
            ports.iter().find(|it| i64::from(number(it)) == *wanted),
            wanted.to_string(),
        ),
        Port::Name(wanted) => (
            ports.iter().find(|it| it["name"] == wanted.as_str()),
            wanted.clone(),
        ),
    };
    if found.is_none() {
        let known = ports.iter().map(|it| match it["name"].as_str() {
            Some(name) => format!("{} (\"{name}\")", number(it)),
            None => number(it).to_string(),
        });
        let known: Vec<String> = known.collect();
        let help = if known.is_empty() {
            "add `spec.ports` to its manifest".to_owned()
        } else {
            format!("its ports are {}", known.join(", "))
        };
        m.add(
            given.span(),
            format!("the Service `{}` has no port {said}", object.name()),
            "unknown port",
            help,
        );
    }
    found.map_or(0, number)
}

#[cfg(test)]
mod tests {
    use super::{Http, Method};
    use crate::describe::{Bundle, sample};

    fn with(http: &str) -> Bundle {
        let mut bundle = sample(1, 1, 200);
        let text = &bundle.app.text;
        let at = text
            .find("timeout = \"2s\"")
            .expect("the client has a timeout");
        bundle.app.text = format!("{}{http}\n{}", &text[..at], &text[at..]);
        bundle
    }

    #[test]
    fn a_request_is_a_get_of_the_root_at_the_first_port_unless_told_otherwise() {
        let app = with("").app().expect("it is right");
        let http = &app.clients[0].http;
        assert_eq!((http.path.as_str(), http.method), ("/", Method::Get));
        assert!(http.port > 0 && http.body.is_empty() && http.expect.is_empty());
        let told = format!(
            "http = {{ path = \"/a?b=1\", method = \"POST\", port = {}, body = \"x\", expect = \"ok\" }}",
            http.port
        );
        let expected = Http {
            path: "/a?b=1".to_owned(),
            method: Method::Post,
            port: http.port,
            body: "x".to_owned(),
            expect: "ok".to_owned(),
        };
        let app = with(&told).app().expect("it is right");
        assert_eq!(app.clients[0].http, expected);
    }

    #[test]
    fn what_is_wrong_with_a_request_is_told_with_its_place_and_a_remedy() {
        for (http, message, help) in [
            (
                "http = { path = \"a\" }",
                "`a` is no path",
                "path = \"/pages",
            ),
            ("http = { path = \"/a b\" }", "`/a b` is no path", "%20"),
            ("http = { method = \"get\" }", "no method `get`", "GET"),
            ("http = { port = 1 }", "has no port 1", "its ports are"),
            (
                "http = { port = \"none\" }",
                "has no port none",
                "its ports are",
            ),
            (
                "http = { expect = \"\" }",
                "`expect` is empty",
                "leave it out",
            ),
            (
                "http = { method = \"HEAD\", expect = \"x\" }",
                "HEAD has no body",
                "leave it out",
            ),
            ("http = { pth = \"/\" }", "no key `pth`", "path"),
        ] {
            let bundle = with(http);
            let text = bundle.app.text.clone();
            let line = text.lines().position(|it| it == http).expect("it is there") + 1;
            let error = bundle.app().expect_err(http);
            let said = format!("{:?}", miette::Report::new(error));
            assert!(said.contains(message), "{http}: {said}");
            assert!(said.contains(help), "{http}: {said}");
            assert!(said.contains(&format!(":{line}:")), "{http}: {said}");
        }
    }
}
