//! What the Prometheus and Loki APIs share: parameters in, numbers and JSON out.

use std::fmt::Write as _;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};

use super::labels::Labels;
use crate::time::{EPOCH_SECOND, Micros};

/// Unix milliseconds of an instant of the drill.
pub(crate) fn unix_ms(at: Micros) -> i64 {
    EPOCH_SECOND * 1_000 + (at.0 / 1_000) as i64
}

/// Unix nanoseconds of an instant of the drill.
pub(crate) fn unix_ns(at: Micros) -> i64 {
    (EPOCH_SECOND * 1_000_000 + at.0 as i64) * 1_000
}

/// Parameters of a request: the query string's, then those of a form in the body.
#[derive(Debug, Default)]
pub(crate) struct Params(Vec<(String, String)>);

impl Params {
    pub(crate) fn of(request: &Request<Bytes>) -> Self {
        let mut params = Self::default();
        // A form in the body comes first: Go's FormValue prefers it.
        let form = request
            .headers()
            .get(header::CONTENT_TYPE)
            .and_then(|v| v.to_str().ok())
            .is_some_and(|v| v.starts_with("application/x-www-form-urlencoded"));
        if request.method() == Method::POST && form {
            params.extend(&String::from_utf8_lossy(request.body()));
        }
        params.extend(request.uri().query().unwrap_or(""));
        params
    }

    fn extend(&mut self, encoded: &str) {
        for pair in encoded.split('&').filter(|p| !p.is_empty()) {
            let (k, v) = pair.split_once('=').unwrap_or((pair, ""));
            self.0.push((decode(k, true), decode(v, true)));
        }
    }

    /// First value of the parameter, `None` if it is absent or empty.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(k, _)| k == name);
        found.map(|(_, v)| v.as_str()).filter(|v| !v.is_empty())
    }

    /// All values of the parameter.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0
            .iter()
            .filter(move |(k, _)| k == name)
            .map(|(_, v)| v.as_str())
    }
}

/// Undoes percent-encoding, and `+` for a space where the text comes from a form.
pub(crate) fn decode(s: &str, plus: bool) -> String {
    let bytes = s.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut i = 0;
    while i < bytes.len() {
        let hex = |b: u8| (b as char).to_digit(16);
        match bytes[i] {
            b'+' if plus => out.push(b' '),
            b'%' if i + 2 < bytes.len() => match (hex(bytes[i + 1]), hex(bytes[i + 2])) {
                (Some(h), Some(l)) => {
                    out.push((h * 16 + l) as u8);
                    i += 2;
                }
                _ => out.push(b'%'),
            },
            b => out.push(b),
        }
        i += 1;
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// The label whose values the endpoint `label/NAME/values` lists.
pub(crate) fn label_of(endpoint: &str) -> Option<String> {
    let name = endpoint.strip_prefix("label/")?.strip_suffix("/values")?;
    Some(decode(name, false))
}

/// Unix nanoseconds of an RFC 3339 time.
pub(crate) fn rfc3339_ns(s: &str) -> Option<i64> {
    let t: jiff::Timestamp = s.parse().ok()?;
    i64::try_from(t.as_nanosecond()).ok()
}

/// Unix milliseconds of a `time` parameter: seconds as a decimal number, or RFC 3339.
pub(crate) fn time_ms(s: &str) -> Result<i64, String> {
    let seconds = s.parse::<f64>().ok().filter(|f| f.abs() < 9e12);
    seconds
        .map(|f| (f * 1_000.0).round() as i64)
        .or_else(|| rfc3339_ns(s).map(|ns| ns.div_euclid(1_000_000)))
        .ok_or_else(|| format!("cannot parse {s:?} to a valid timestamp"))
}

/// Milliseconds of a `step` parameter: seconds as a decimal number, or a duration.
pub(crate) fn step_ms(s: &str) -> Result<i64, String> {
    let seconds = s.parse::<f64>().ok().filter(|f| f.abs() < 9e12);
    seconds
        .map(|f| (f * 1_000.0) as i64)
        .or_else(|| promql::duration_ms(s))
        .ok_or_else(|| format!("cannot parse {s:?} to a valid duration"))
}

/// Appends a JSON string.
pub(crate) fn push_str(out: &mut String, s: &str) {
    if s.bytes().all(|b| b >= 0x20 && b != b'"' && b != b'\\') {
        out.push('"');
        out.push_str(s);
        out.push('"');
    } else {
        out.push_str(&serde_json::Value::from(s).to_string());
    }
}

/// Appends Unix seconds as the APIs write them: no fraction, or one of three digits.
pub(crate) fn push_seconds(out: &mut String, ms: i64) {
    let sign = if ms < 0 { "-" } else { "" };
    let ms = ms.unsigned_abs();
    let _ = write!(out, "{sign}{}", ms / 1_000);
    if !ms.is_multiple_of(1_000) {
        let _ = write!(out, ".{:03}", ms % 1_000);
    }
}

/// Appends a value as a JSON string, written as Go's shortest form with an exponent outside of 1e-6..1e21.
pub(crate) fn push_value(out: &mut String, v: f64) {
    out.push('"');
    push_number(out, v);
    out.push('"');
}

fn push_number(out: &mut String, v: f64) {
    let size = v.abs();
    if v.is_nan() {
        out.push_str("NaN");
    } else if v.is_infinite() {
        out.push_str(if v > 0.0 { "+Inf" } else { "-Inf" });
    } else if size != 0.0 && !(1e-6..1e21).contains(&size) {
        let text = format!("{v:e}");
        let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let (sign, digits) = match exponent.strip_prefix('-') {
            Some(d) => ('-', d),
            None => ('+', exponent),
        };
        let _ = write!(out, "{mantissa}e{sign}{digits:0>2}");
    } else {
        let _ = write!(out, "{v}");
    }
}

/// Appends a label set as a JSON object.
pub(crate) fn push_labels(out: &mut String, labels: &Labels) {
    out.push('{');
    for (i, (k, v)) in labels.iter().enumerate() {
        if i > 0 {
            out.push(',');
        }
        push_str(out, k);
        out.push(':');
        push_str(out, v);
    }
    out.push('}');
}

/// Appends `items` as a JSON array.
pub(crate) fn push_array<T>(
    out: &mut String,
    items: impl IntoIterator<Item = T>,
    mut each: impl FnMut(&mut String, T),
) {
    out.push('[');
    for (i, item) in items.into_iter().enumerate() {
        if i > 0 {
            out.push(',');
        }
        each(out, item);
    }
    out.push(']');
}

/// A JSON array of strings.
pub(crate) fn string_array<S: AsRef<str>>(items: impl IntoIterator<Item = S>) -> String {
    let mut out = String::new();
    push_array(&mut out, items, |out, s| push_str(out, s.as_ref()));
    out
}

pub(crate) fn respond(status: u16, content_type: &'static str, body: String) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(body));
    *response.status_mut() =
        StatusCode::from_u16(status).expect("statuses here are literals in 200..600");
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        header::HeaderValue::from_static(content_type),
    );
    response
}

/// A successful JSON answer around `data`, which is JSON itself.
pub(crate) fn success(data: &str) -> Response<Bytes> {
    respond(
        200,
        "application/json",
        format!(r#"{{"status":"success","data":{data}}}"#),
    )
}

pub(crate) fn text(status: u16, body: impl Into<String>) -> Response<Bytes> {
    respond(status, "text/plain; charset=utf-8", body.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_go_writes_them() {
        let table = [
            (0.0, "0"),
            (-0.0, "-0"),
            (1.0, "1"),
            (0.1, "0.1"),
            (1e20, "100000000000000000000"),
            (1e21, "1e+21"),
            (1.5e-7, "1.5e-07"),
            (0.000_001, "0.000001"),
            (f64::NAN, "NaN"),
            (f64::INFINITY, "+Inf"),
            (f64::NEG_INFINITY, "-Inf"),
            (1.0 / 3.0, "0.3333333333333333"),
        ];
        for (v, expected) in table {
            let mut out = String::new();
            push_number(&mut out, v);
            assert_eq!(out, expected);
        }
        let seconds = |ms| {
            let mut out = String::new();
            push_seconds(&mut out, ms);
            out
        };
        assert_eq!(seconds(1_500), "1.500");
        assert_eq!(seconds(2_000), "2");
        assert_eq!(seconds(-1), "-0.001");
    }

    #[test]
    fn times_and_durations() {
        assert_eq!(time_ms("1767571200.5"), Ok(1_767_571_200_500));
        assert_eq!(time_ms("2026-01-05T00:00:00Z"), Ok(1_767_571_200_000));
        assert_eq!(
            time_ms("2026-01-05T01:00:00.25+01:00"),
            Ok(1_767_571_200_250)
        );
        assert!(time_ms("yesterday").is_err());
        assert_eq!(step_ms("0.5"), Ok(500));
        assert_eq!(step_ms("1m30s"), Ok(90_000));
        assert_eq!(step_ms("250ms"), Ok(250));
        for bad in ["", "5", "s", "1s1m", "1s1s", "1x", "-1s"] {
            assert_eq!(promql::duration_ms(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn parameters_of_a_form_precede_the_query_string() {
        let request = Request::post("/x?query=b&match%5B%5D=up%7Ba%3D%221%22%7D")
            .header("content-type", "application/x-www-form-urlencoded")
            .body(Bytes::from_static(b"query=a+%2B%20b&empty="))
            .unwrap();
        let params = Params::of(&request);
        assert_eq!(params.get("query"), Some("a + b"));
        assert_eq!(params.get("empty"), None);
        assert_eq!(params.all("match[]").collect::<Vec<_>>(), [r#"up{a="1"}"#]);
    }
}
