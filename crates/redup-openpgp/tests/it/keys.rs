//! Recipients, signers and secret keys: from files, from a GnuPG home, through gpg-agent.

use std::fs;
use std::sync::Arc;

use redup_openpgp::{
    Agent, AgentOptions, Compression, Decryptor, DecryptorOptions, Encryptor, EncryptorOptions,
    Error, Keyring, KeyringOptions, Recipient, Secret, Validity,
};

use crate::gpg::{Gpg, fixture_key};
use crate::roundtrip::{content, decrypt, encrypt};

const ENCRYPT: &str = "5C4965C176EA43DC2BE6D58BE6EFE75388B13D8F";
const ENCRYPT_SUBKEY: &str = "A89709C486FB022F";
const SIGN: &str = "02234C02E8C8AB9CE3113F3B705E9B5A5C5B3D94";
const ECC: &str = "9D5B891DFFC2736475F9569D5938F0EB8458E5CC";

pub(crate) fn fixture_keyring(suffix: &str) -> Keyring {
    let key_files = ["encrypt", "sign", "ecc"]
        .map(|name| fixture_key(&format!("{name}.{suffix}.asc")))
        .to_vec();
    Keyring::open(&KeyringOptions {
        key_files,
        gnupg_home: None,
    })
    .unwrap()
}

fn home_keyring(gpg: &Gpg) -> Keyring {
    Keyring::open(&KeyringOptions {
        gnupg_home: Some(gpg.home().to_owned()),
        key_files: Vec::new(),
    })
    .unwrap()
}

fn agent(gpg: &Gpg) -> Agent {
    Agent::new(AgentOptions {
        gnupg_home: Some(gpg.home().to_owned()),
        pinentry: Vec::new(),
    })
}

fn decryptor(keyring: Keyring, agent: Option<Agent>, passphrase: Option<&str>) -> Decryptor {
    Decryptor::new(DecryptorOptions {
        keyring: Some(Arc::new(keyring)),
        agent,
        passphrase: passphrase.map(Secret::from),
    })
}

fn encryptor(recipients: Vec<Recipient>) -> EncryptorOptions {
    EncryptorOptions {
        recipients,
        compression: Compression::Zlib(6),
        ..EncryptorOptions::default()
    }
}

#[test]
fn gpg_reads_messages_for_one_several_and_hidden_recipients() {
    let gpg = Gpg::with_fixture_keys();
    let keyring = fixture_keyring("pub");
    let rsa = || keyring.recipient(ENCRYPT_SUBKEY).unwrap();
    let ecc = || keyring.recipient(ECC).unwrap();
    for recipients in [
        vec![rsa()],
        vec![ecc()],
        vec![rsa(), ecc()],
        vec![rsa().hidden(), ecc().hidden()],
    ] {
        let content = content(300_000);
        let message = encrypt(
            &Encryptor::new(encryptor(recipients.clone())).unwrap(),
            &content,
        );
        let theirs = gpg.decrypt("", &message);
        assert!(
            theirs.ok && theirs.stdout == content,
            "{recipients:?}: {}",
            theirs.stderr
        );
        assert!(
            decrypt(&decryptor(fixture_keyring("sec"), None, None), &message).unwrap() == content,
            "{recipients:?}"
        );
    }
}

#[test]
fn a_message_may_have_recipients_and_a_passphrase() {
    let gpg = Gpg::new();
    let recipients = vec![fixture_keyring("pub").recipient(ECC).unwrap()];
    let options = EncryptorOptions {
        passphrase: Some(Secret::from("also this")),
        ..encryptor(recipients)
    };
    let message = encrypt(&Encryptor::new(options).unwrap(), b"content");
    assert_eq!(gpg.decrypt("also this", &message).stdout, b"content");
    assert_eq!(
        decrypt(&decryptor(fixture_keyring("sec"), None, None), &message).unwrap(),
        b"content"
    );
    assert_eq!(
        decrypt(
            &decryptor(fixture_keyring("pub"), None, Some("also this")),
            &message
        )
        .unwrap(),
        b"content"
    );
    let wrong = decrypt(
        &decryptor(fixture_keyring("pub"), None, Some("not this")),
        &message,
    );
    assert!(matches!(wrong, Err(Error::WrongPassphrase)), "{wrong:?}");
}

#[test]
fn gpg_accepts_our_signatures_and_we_accept_its() {
    let gpg = Gpg::with_fixture_keys();
    let keyring = fixture_keyring("sec");
    for (id, key) in [(SIGN, SIGN), ("8458E5CC", ECC)] {
        let signer = keyring.signer(id, None, None).unwrap();
        assert_eq!(signer.fingerprint(), key);
        let recipients = vec![keyring.recipient(ENCRYPT).unwrap()];
        for compression in [Compression::None, Compression::Zip(6)] {
            let options = EncryptorOptions {
                signer: Some(signer.clone()),
                compression,
                ..encryptor(recipients.clone())
            };
            let content = content(100_000);
            let message = encrypt(&Encryptor::new(options).unwrap(), &content);
            let theirs = gpg.try_run(&["--status-fd", "2", "--decrypt"], &message);
            assert!(theirs.ok && theirs.stdout == content, "{}", theirs.stderr);
            assert!(
                theirs.stderr.contains(&format!("GOODSIG {}", &key[24..])),
                "{}",
                theirs.stderr
            );
            check_signature(&message, key);
        }
        let message = gpg
            .run(
                &[
                    "--default-key",
                    key,
                    "--recipient",
                    ENCRYPT,
                    "--sign",
                    "--encrypt",
                ],
                b"theirs",
            )
            .unwrap();
        check_signature(&message, key);
    }
}

#[track_caller]
fn check_signature(message: &[u8], key: &str) {
    let decryptor = decryptor(fixture_keyring("sec"), None, None);
    let mut reader = decryptor.open(message).unwrap();
    std::io::copy(&mut reader, &mut std::io::sink()).unwrap();
    let report = reader.report();
    assert_eq!(
        (report.signatures.len(), report.signatures[0].validity),
        (1, Validity::Good)
    );
    assert!(report.is_signed_by(key) && report.is_signed_by(&key[24..]));
}

#[test]
fn the_agent_decrypts_and_signs_with_rsa_and_curve_25519() {
    let gpg = Gpg::with_fixture_keys();
    for recipient in [ENCRYPT, ECC] {
        for hidden in [false, true] {
            let flag = if hidden {
                "--hidden-recipient"
            } else {
                "--recipient"
            };
            let message = gpg
                .run(&[flag, recipient, "--encrypt"], b"for the agent")
                .unwrap();
            let ours = decrypt(
                &decryptor(home_keyring(&gpg), Some(agent(&gpg)), Some("")),
                &message,
            );
            assert_eq!(ours.unwrap(), b"for the agent", "{recipient} {hidden}");
        }
    }
    for key in [SIGN, ECC] {
        let keyring = home_keyring(&gpg);
        let signer = keyring
            .signer(key, Some(&Secret::from("")), Some(&agent(&gpg)))
            .unwrap();
        signer.test().unwrap();
        let recipients = vec![keyring.recipient(ENCRYPT).unwrap()];
        let message = encrypt(
            &Encryptor::new(EncryptorOptions {
                signer: Some(signer),
                ..encryptor(recipients)
            })
            .unwrap(),
            b"x",
        );
        check_signature(&message, key);
    }
}

#[test]
fn the_agent_is_started_when_none_runs() {
    let gpg = Gpg::with_fixture_keys();
    let message = gpg
        .run(&["--recipient", ECC, "--encrypt"], b"wake up")
        .unwrap();
    gpg.stop_agent();
    let ours = decrypt(
        &decryptor(home_keyring(&gpg), Some(agent(&gpg)), Some("")),
        &message,
    );
    assert_eq!(ours.unwrap(), b"wake up");
}

#[test]
fn protected_keys_open_with_their_passphrase_from_a_file_and_in_the_agent() {
    let gpg = Gpg::new();
    for (algorithm, usage) in [
        ("rsa2048", "encrypt"),
        ("nistp256", "encrypt"),
        ("cv25519", "encrypt"),
        ("brainpoolP256r1", "encrypt"),
    ] {
        let user = format!("{algorithm}@example.org");
        let primary = if algorithm == "rsa2048" {
            "rsa2048"
        } else {
            "ed25519"
        };
        gpg.run(
            &[
                "--passphrase",
                "sesame",
                "--quick-generate-key",
                &user,
                primary,
                "sign",
            ],
            b"",
        )
        .unwrap();
        let fingerprint = gpg.fingerprint(&user);
        gpg.run(
            &[
                "--passphrase",
                "sesame",
                "--quick-add-key",
                &fingerprint,
                algorithm,
                usage,
            ],
            b"",
        )
        .unwrap();
        let message = gpg
            .run(&["--recipient", &user, "--encrypt"], b"treasure")
            .unwrap();
        let exported = gpg
            .run(
                &["--passphrase", "sesame", "--export-secret-keys", &user],
                b"",
            )
            .unwrap();
        let file = gpg.home().join("exported.gpg");
        fs::write(&file, exported).unwrap();
        let from_file = || {
            Keyring::open(&KeyringOptions {
                key_files: vec![file.clone()],
                gnupg_home: None,
            })
            .unwrap()
        };

        if algorithm != "brainpoolP256r1" {
            assert_eq!(
                decrypt(&decryptor(from_file(), None, Some("sesame")), &message).unwrap(),
                b"treasure",
                "{algorithm}"
            );
        }
        for wrong in [Some("simsalabim"), None] {
            let refused = decrypt(&decryptor(from_file(), None, wrong), &message)
                .err()
                .unwrap();
            assert!(
                matches!(refused, Error::SecretKey { .. }),
                "{algorithm}: {refused:?}"
            );
            assert!(!format!("{refused:?}").contains("simsalabim"));
        }
        gpg.stop_agent();
        let refused = decrypt(
            &decryptor(home_keyring(&gpg), Some(agent(&gpg)), Some("simsalabim")),
            &message,
        )
        .err()
        .unwrap();
        assert!(
            matches!(refused, Error::SecretKey { .. }),
            "{algorithm}: {refused:?}"
        );
        let ours = decrypt(
            &decryptor(home_keyring(&gpg), Some(agent(&gpg)), Some("sesame")),
            &message,
        );
        assert_eq!(ours.unwrap(), b"treasure", "{algorithm}");
    }
}

#[test]
fn a_missing_secret_key_is_named() {
    let gpg = Gpg::with_fixture_keys();
    let message = gpg
        .run(
            &[
                "--recipient",
                ENCRYPT,
                "--hidden-recipient",
                ECC,
                "--encrypt",
            ],
            b"x",
        )
        .unwrap();
    let elsewhere = Gpg::new();
    for decryptor in [
        Decryptor::new(DecryptorOptions::default()),
        decryptor(fixture_keyring("pub"), None, Some("some passphrase")),
        decryptor(fixture_keyring("pub"), Some(agent(&elsewhere)), None),
    ] {
        let text = decrypt(&decryptor, &message).err().unwrap().to_string();
        assert!(
            text.contains("No secret key")
                && text.contains(ENCRYPT_SUBKEY)
                && text.contains("0000000000000000"),
            "{text}"
        );
    }
}

#[test]
fn recipients_are_found_by_every_form_of_name() {
    let gpg = Gpg::with_fixture_keys();
    for keyring in [home_keyring(&gpg), fixture_keyring("pub")] {
        for id in [
            ENCRYPT,
            "0x5c4965c176ea43dc2be6d58be6efe75388b13d8f",
            "E6EFE75388B13D8F",
            "88b13d8f",
            ENCRYPT_SUBKEY,
            "86FB022F",
            "A89709C486FB022F!",
        ] {
            let recipient = keyring.recipient(id).unwrap();
            assert_eq!(recipient.primary_fingerprint(), ENCRYPT, "{id}");
            assert!(recipient.fingerprint().ends_with(ENCRYPT_SUBKEY), "{id}");
        }
        assert!(matches!(
            keyring.recipient("DEADBEEF"),
            Err(Error::KeyNotFound { .. })
        ));
        // The primary key does not encrypt, so it cannot be forced to.
        let forced = keyring.recipient(&format!("{ENCRYPT}!")).unwrap_err();
        assert!(
            matches!(&forced, Error::KeyUnusable { rule, .. } if rule.contains("not for encryption")),
            "{forced}"
        );
        let signs_only = keyring.recipient(SIGN).unwrap_err();
        assert!(
            matches!(signs_only, Error::KeyUnusable { .. }),
            "{signs_only}"
        );
    }
}

#[test]
fn names_choose_the_newest_valid_subkey_or_say_why_none_will_do() {
    let gpg = Gpg::new();
    let make = |user: &str, expire: &str| {
        gpg.run(
            &[
                "--passphrase",
                "",
                "--quick-generate-key",
                user,
                "ed25519",
                "sign",
                expire,
            ],
            b"",
        )
        .unwrap();
        gpg.fingerprint(user)
    };
    let subkey = |key: &str, time: &str, expire: &str| {
        gpg.run(
            &[
                "--passphrase",
                "",
                "--faked-system-time",
                time,
                "--quick-add-key",
                key,
                "cv25519",
                "encrypt",
                expire,
            ],
            b"",
        )
        .unwrap();
    };
    let faked = ["--passphrase", "", "--faked-system-time", "20200101T000000"];
    let old = |user: &str, expire: &str| {
        gpg.run(
            &[
                &faked[..],
                &["--quick-generate-key", user, "ed25519", "sign", expire],
            ]
            .concat(),
            b"",
        )
        .unwrap();
        gpg.fingerprint(user)
    };
    let ann = old("Ann <ann@example.org>", "never");
    subkey(&ann, "20200102T000000", "never");
    subkey(&ann, "20200104T000000", "never");
    subkey(&ann, "20200106T000000", "2d");
    make("Ann Other <joann@example.org>", "never");
    let bob = old("Bob <bob@example.org>", "1y");
    subkey(&bob, "20200102T000000", "never");
    let eve = make("Eve <eve@example.org>", "never");
    let revocation =
        fs::read_to_string(gpg.home().join(format!("openpgp-revocs.d/{eve}.rev"))).unwrap();
    gpg.run(
        &["--import"],
        revocation.replace(":-----BEGIN", "-----BEGIN").as_bytes(),
    )
    .unwrap();

    let keyring = home_keyring(&gpg);
    let newest = keyring.recipient("ann@example.org").unwrap();
    let subkeys = gpg.subkeys(&ann);
    assert_eq!(newest.fingerprint(), subkeys[1]);
    let forced = keyring.recipient(&format!("{}!", subkeys[0])).unwrap();
    assert_eq!(forced.fingerprint(), subkeys[0]);
    let forced = keyring.recipient(&format!("{}!", subkeys[2])).unwrap_err();
    assert!(
        matches!(&forced, Error::KeyUnusable { rule, .. } if rule.contains("not valid now")),
        "{forced}"
    );
    for (id, rule) in [
        ("bob@example.org", "not valid now"),
        ("Eve", "revoked"),
        ("joann@example.org", "no key for encryption"),
    ] {
        let refused = keyring.recipient(id).unwrap_err();
        assert!(
            matches!(&refused, Error::KeyUnusable { rule: why, .. } if why.contains(rule)),
            "{id}: {refused}"
        );
    }
    // One of two that fit can be used: it is meant.
    assert_eq!(keyring.recipient("ann").unwrap().primary_fingerprint(), ann);
    make("Second Ann <ann@example.net>", "never");
    let second = gpg.fingerprint("ann@example.net");
    subkey(&second, "20300101T000000", "never");
    gpg.run(
        &[
            "--passphrase",
            "",
            "--quick-add-key",
            &second,
            "cv25519",
            "encrypt",
            "never",
        ],
        b"",
    )
    .unwrap();
    let refused = home_keyring(&gpg).recipient("ann").unwrap_err();
    assert!(
        matches!(&refused, Error::KeyAmbiguous { candidates, .. } if candidates.len() == 2),
        "{refused}"
    );
}

#[test]
fn old_keyrings_are_read_beside_keyboxes() {
    let gpg = Gpg::with_fixture_keys();
    let old = Gpg::new();
    fs::write(
        old.home().join("pubring.gpg"),
        gpg.run(&["--export"], b"").unwrap(),
    )
    .unwrap();
    let keyring = home_keyring(&old);
    assert_eq!(
        (
            keyring.len(),
            keyring.recipient(ECC).unwrap().primary_fingerprint()
        ),
        (3, ECC)
    );
    fs::write(
        old.home().join("secring.gpg"),
        gpg.run(&["--export-secret-keys"], b"").unwrap(),
    )
    .unwrap();
    let message = gpg.run(&["--recipient", ECC, "--encrypt"], b"x").unwrap();
    assert_eq!(
        decrypt(&decryptor(home_keyring(&old), None, None), &message).unwrap(),
        b"x"
    );
}

#[test]
fn a_key_file_that_is_none_is_an_error_and_an_empty_home_is_not() {
    let gpg = Gpg::new();
    let file = gpg.home().join("not-a-key.asc");
    let open = || {
        Keyring::open(&KeyringOptions {
            key_files: vec![file.clone()],
            gnupg_home: None,
        })
    };
    assert!(matches!(open(), Err(Error::Keyring { .. })));
    fs::write(&file, "just text").unwrap();
    assert!(matches!(open(), Err(Error::Keyring { .. })));
    assert!(home_keyring(&gpg).is_empty());
}
