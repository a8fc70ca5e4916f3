//! The bar, at a store that keeps one waiting.

use redup_testkit::faulty::Fault;
use redup_testkit::fixtures::TIMES;
use redup_testkit::recorder::Recorder;
use redup_testkit::s3s::S3sServer;
use redup_testkit::trees;

use super::servers::env;
use crate::cli::terminal::{Terminal, screen};
use crate::redup;

#[test]
fn every_command_that_moves_volumes_has_a_bar_and_takes_it_away() {
    let server = S3sServer::start();
    let mut env = env(&server);
    trees::filler(1).write(&env.source());
    env.backup(&redup(), "full", TIMES[0]).ok();
    // Volumes are asked for and sent, and no answer comes.
    let recorder = Recorder::with_faults(&server, |request| {
        let moves = matches!(request.operation(), "GetObject" | "PutObject");
        (moves && request.target.contains(".difftar")).then_some(Fault::Stalled)
    });
    env.set("AWS_ENDPOINT_URL_S3", recorder.endpoint_url());
    env.set("TERM", "xterm");
    let options = format!("--archive-dir archive --name {}", env.name);
    let url = env.url.clone();
    for (line, phase) in [
        (format!("verify {options} {url} source"), "Verifying"),
        (format!("restore {options} {url} out"), "Restoring"),
        (format!("full {options} source {url}"), "Sending rest"),
    ] {
        let mut session = Terminal::of_width(80).start(&redup(), &env, &line);
        session.waits_until(|seen| seen.contains(phase) && seen.ends_with("\u{1b}[K"));
        let (text, _) = screen(&session.seen(), 80);
        let bar = text.lines().last().unwrap();
        assert!(bar.starts_with(phase) && bar.contains("%  [>"), "{text}");
        session.types("\u{3}");
        let (written, status) = session.ends_raw();
        assert_eq!(status, 4, "{written}");
        let (text, (_, column)) = screen(&written, 80);
        assert!(!text.contains(phase) && column == 0, "{text}");
    }
}
