//! The emulator starts, answers, and is gone afterwards.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::TcpStream;

use emulator::{Emulator, Stack};

#[test]
fn an_emulator_answers_and_ends_with_its_value() {
    let emulator = Emulator::start_here(&[]).expect("it is installed");
    let address = emulator
        .endpoint()
        .strip_prefix("http://")
        .expect("plain HTTP")
        .to_owned();
    let mut stream = TcpStream::connect(&address).expect("it listens");
    write!(
        stream,
        "GET /_localstack/health HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"
    )
    .expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");

    drop(emulator);
    assert!(TcpStream::connect(&address).is_err(), "nobody listens any more");
}

#[test]
fn accounts_are_new_and_look_like_accounts() {
    let accounts: BTreeSet<String> = (0..100).map(|_| Emulator::new_account()).collect();
    assert_eq!(accounts.len(), 100);
    for account in accounts {
        let digits = account.chars().filter(char::is_ascii_digit).count();
        assert_eq!((account.len(), digits), (12, 12), "{account}");
    }
}

#[test]
fn the_stack_is_deployed_with_its_parameters_and_says_what_is_missing() {
    let folder = std::env::temp_dir().join(format!("emulator-test-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let account = Emulator::new_account();
    let stack = Stack {
        name: "s",
        account: &account,
        functions: &folder,
        parameters: &[("Operators", "admins")],
    };
    // One that ends with this test: its program is no function, and the schedule would call it every minute.
    let emulator = Emulator::start_here(&[]).expect("it is installed");
    let missing = emulator.deploy(stack).expect_err("there is no function");
    assert!(missing.contains("neither intake.zip nor intake"), "{missing}");

    std::fs::write(folder.join("bootstrap"), "#!/bin/sh\n").expect("a file");
    let outputs = emulator
        .deploy(Stack { name: "t", ..stack })
        .expect("it is deployed");
    assert!(
        outputs.contains("\"ApiId\"") && outputs.contains("t-decisions"),
        "{outputs}"
    );
    std::fs::remove_dir_all(folder).expect("the folder is ours");
}
