//! Asking a person before something is done.

use std::io::{BufRead, IsTerminal, Write};

use executor::planner::{Loss, LossKind};
use tokio_util::sync::CancellationToken;

use crate::commands::Failure;
use crate::show::{complain, shown};

/// What must be typed before something is lost that clients were told about.
const LOSE_ACKNOWLEDGED: &str = "lose data";

/// Whether there is somebody to ask.
pub(crate) fn somebody() -> Result<(), Failure> {
    if std::io::stdin().is_terminal() {
        return Ok(());
    }
    Err(Failure::input(
        "nobody to ask (standard input is no terminal), and nothing was done: add --yes, and --accept-data-loss if acknowledged records may be lost",
    ))
}

/// Asks whether to do what was shown.
pub(crate) async fn go_ahead(question: &str, stop: &CancellationToken) -> Result<(), Failure> {
    somebody()?;
    typed(&format!("{question} Type yes: "), "yes", stop).await
}

/// Asks whether these losses are accepted; the worst kind that then may be lost.
pub(crate) async fn accept(losses: &[Loss], stop: &CancellationToken) -> Result<LossKind, Failure> {
    let worst = losses.iter().map(|loss| loss.kind).max();
    let Some(worst) = worst.filter(|kind| *kind != LossKind::Nothing) else {
        return Ok(LossKind::Nothing);
    };
    let list: Vec<String> = losses
        .iter()
        .map(|loss| format!("  step `{}` may lose {}", loss.step, loss.what))
        .collect();
    let list = list.join("\n");
    if !std::io::stdin().is_terminal() {
        let flag = match worst {
            LossKind::Nothing | LossKind::OutsideTheLog => "--yes or --accept-data-loss",
            LossKind::Acknowledged => "--accept-data-loss",
        };
        return Err(Failure::input(format!(
            "this may lose data, nobody is there to ask (standard input is no terminal), and nothing was done:\n{list}\nIf that is accepted, add {flag}"
        )));
    }
    let word = match worst {
        LossKind::Nothing | LossKind::OutsideTheLog => "yes",
        LossKind::Acknowledged => LOSE_ACKNOWLEDGED,
    };
    complain(&format!("This may lose data:\n{list}"));
    typed(&format!("Accept that? Type {word}: "), word, stop).await?;
    Ok(worst)
}

/// Asks on standard error, which `--json` leaves to people. Only `wanted` is consent.
async fn typed(question: &str, wanted: &str, stop: &CancellationToken) -> Result<(), Failure> {
    anstream::eprint!("{}", shown(question));
    let _ = std::io::stderr().flush();
    let (send, receive) = tokio::sync::oneshot::channel();
    // A thread of its own: a read of the terminal can't be cancelled, and must not hold up a signal.
    std::thread::spawn(move || {
        let mut answer = String::new();
        let read = std::io::stdin().lock().read_line(&mut answer);
        let _ = send.send(read.map(|_| answer));
    });
    match futures::future::select(receive, std::pin::pin!(stop.cancelled())).await {
        futures::future::Either::Left((Ok(Ok(answer)), _)) if answer.trim() == wanted => Ok(()),
        futures::future::Either::Left(_) => Err(Failure::input("not accepted: nothing was done")),
        futures::future::Either::Right(_) => Err(executor::Error::Interrupted.into()),
    }
}
