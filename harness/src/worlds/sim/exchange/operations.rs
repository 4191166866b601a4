//! What requests about the ledger's database mean: `POST /firedrill/v1/store/OPERATION` with its arguments as JSON.

use bytes::Bytes;
use contract::ledger::DatabaseError;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use sim::application::Done;
use sim::time::Micros;
use sim_exchange::SimulatedExchange;
use sim_exchange::database::{DbOp, DbReply};
use sim_serve::store::Store;

/// Where the operations are.
const BELOW: &str = "/firedrill/v1/store/";
/// How long an undo script waits for a lock where its caller says nothing of that.
const LOCK_TIMEOUT_MS: u64 = 2_000;

/// The ledger's database, for programs outside.
pub(super) struct Ledger;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Named {
    name: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Token {
    token: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Undo {
    version: String,
    name: String,
    sql: String,
    #[serde(default = "lock_timeout")]
    lock_timeout_ms: u64,
    token: u64,
}

fn lock_timeout() -> u64 {
    LOCK_TIMEOUT_MS
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Restore {
    snapshot: String,
    set_aside: String,
    token: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Replay {
    set_aside: String,
    token: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Migrate {
    name: String,
    sql: String,
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, String> {
    serde_json::from_slice(body).map_err(|error| format!("the arguments: {error}"))
}

/// The operation of that name with its arguments; `None` if there is none of that name.
fn operation(name: &str, body: &[u8]) -> Option<Result<DbOp, String>> {
    Some(match name {
        "history" => Ok(DbOp::History),
        "position" => Ok(DbOp::Position),
        "fence-token" => Ok(DbOp::FenceToken),
        "token-max" => Ok(DbOp::TokenMax),
        "snapshot" => read(body).map(|Named { name }| DbOp::Snapshot { name }),
        "find-snapshot" => read(body).map(|Named { name }| DbOp::FindSnapshot { name }),
        "fence" => read(body).map(|Token { token }| DbOp::Fence { token }),
        "unfence" => read(body).map(|Token { token }| DbOp::Unfence { token }),
        "undo" => read(body).map(|it: Undo| DbOp::Undo {
            version: it.version,
            name: it.name,
            sql: it.sql,
            lock_timeout: Micros::from_millis(it.lock_timeout_ms),
            token: it.token,
        }),
        "restore" => read(body).map(|it: Restore| DbOp::Restore {
            snapshot: it.snapshot,
            set_aside: it.set_aside,
            token: it.token,
        }),
        "replay" => read(body).map(|it: Replay| DbOp::Replay {
            set_aside: it.set_aside,
            token: it.token,
        }),
        "migrate" => read(body).map(|it: Migrate| DbOp::Migrate {
            name: it.name,
            sql: it.sql,
        }),
        _ => return None,
    })
}

fn json_of(reply: &DbReply) -> Value {
    match reply {
        DbReply::History(rows) => json!(rows),
        DbReply::Position(position) => json!(position),
        DbReply::Snapshot(snapshot) => json!(snapshot),
        DbReply::Found(found) => json!(found),
        DbReply::Fenced(report) => json!(report),
        DbReply::FenceToken(token) => json!(token),
        DbReply::TokenMax(token) => json!(token),
        DbReply::Done => json!({}),
        DbReply::Restored(report) => json!(report),
        DbReply::Replayed(report) => json!(report),
    }
}

fn answer(status: http::StatusCode, body: &Value) -> http::Response<Bytes> {
    let mut response = http::Response::new(Bytes::from(body.to_string()));
    *response.status_mut() = status;
    let of_type = http::HeaderValue::from_static("application/json");
    response
        .headers_mut()
        .insert(http::header::CONTENT_TYPE, of_type);
    response
}

/// An error in words, as every answer of this kind holds it.
fn wrong(status: http::StatusCode, message: &str) -> http::Response<Bytes> {
    answer(status, &json!({ "message": message }))
}

impl Store<SimulatedExchange> for Ledger {
    fn operation(&self, request: &http::Request<Bytes>) -> Result<DbOp, http::Response<Bytes>> {
        if request.method() != http::Method::POST {
            let why = "operations of the database are asked for by POST";
            return Err(wrong(http::StatusCode::METHOD_NOT_ALLOWED, why));
        }
        let name = request.uri().path().strip_prefix(BELOW).unwrap_or_default();
        match operation(name, request.body()) {
            Some(Ok(operation)) => Ok(operation),
            Some(Err(why)) => Err(wrong(http::StatusCode::BAD_REQUEST, &why)),
            None => {
                let why = format!("the database has no operation `{name}`");
                Err(wrong(http::StatusCode::NOT_FOUND, &why))
            }
        }
    }

    fn answer(&self, done: Done<DbOp>) -> http::Response<Bytes> {
        let error = match done {
            Ok(reply) => return answer(http::StatusCode::OK, &json_of(&reply)),
            Err(error) => error,
        };
        let status = match &error {
            DatabaseError::Connection(_) => http::StatusCode::SERVICE_UNAVAILABLE,
            DatabaseError::Refused { .. }
            | DatabaseError::Precondition(_)
            | DatabaseError::StaleToken(_) => http::StatusCode::CONFLICT,
        };
        let body = json!({
            "message": error.to_string(),
            "sqlstate": error.sqlstate(),
            "transient": error.is_transient(),
        });
        answer(status, &body)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(method: &str, path: &str, body: &'static str) -> Result<DbOp, u16> {
        let request = http::Request::builder()
            .method(method)
            .uri(path)
            .body(Bytes::from_static(body.as_bytes()))
            .expect("a request");
        Ledger
            .operation(&request)
            .map_err(|it| it.status().as_u16())
    }

    #[test]
    fn operations_are_read_and_what_is_none_is_refused() {
        let fence = ask("POST", "/firedrill/v1/store/fence", r#"{"token": 7}"#);
        assert_eq!(fence, Ok(DbOp::Fence { token: 7 }));
        assert_eq!(
            ask("POST", "/firedrill/v1/store/history", ""),
            Ok(DbOp::History)
        );
        assert_eq!(ask("GET", "/firedrill/v1/store/history", ""), Err(405));
        assert_eq!(ask("POST", "/firedrill/v1/store/drop", ""), Err(404));
        for body in ["", "{}", r#"{"token": -1}"#, r#"{"token": 1, "x": 2}"#] {
            assert_eq!(
                ask("POST", "/firedrill/v1/store/fence", body),
                Err(400),
                "{body}"
            );
        }
    }

    #[test]
    fn what_the_database_refuses_is_told_with_its_state() {
        let refused = DatabaseError::refused("55P03", "lock not available");
        let answer = Ledger.answer(Err(refused));
        assert_eq!(answer.status(), http::StatusCode::CONFLICT);
        let body: Value = serde_json::from_slice(answer.body()).expect("JSON");
        assert_eq!(body["sqlstate"], "55P03");
        assert_eq!(body["transient"], true);
    }
}
