//! What is read with a key to be signed by: nothing that it has not signed, whatever the store does.

use std::fs;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use redup_engine::{
    BackupKind, Error, KeyProvider, ListOptions, Result, SignedBy, Silent, Target, VolumeMode,
};
use redup_openpgp::{
    Compression, Decryptor, DecryptorOptions, Encryptor, EncryptorOptions, Keyring, KeyringOptions,
    Secret,
};
use redup_storage::Storage;
use redup_testkit::fixtures;
use redup_testkit::gpghome::SIGN_KEY;
use redup_testkit::listing::Listing;
use redup_testkit::trees::{Node, Tree, noise};

use crate::hooked::Hooked;
use crate::world::{Heard, World};

/// A passphrase that all know, also who would put something else in place, and a key that not all have.
#[derive(Debug)]
struct Keys {
    signs: bool,
    asks: Option<SignedBy>,
}

impl Keys {
    fn keyring() -> Arc<Keyring> {
        let options = KeyringOptions {
            gnupg_home: None,
            key_files: vec![fixtures::root().join("keys/sign.sec.asc")],
        };
        Arc::new(Keyring::open(&options).unwrap())
    }
}

impl KeyProvider for Keys {
    fn decryptor(&self) -> Result<Arc<Decryptor>> {
        Ok(Arc::new(Decryptor::new(DecryptorOptions {
            passphrase: Some(Secret::from("secret")),
            keyring: Some(Self::keyring()),
            agent: None,
        })))
    }

    fn encryptor(&self) -> Result<Arc<Encryptor>> {
        let signer = || Self::keyring().signer(SIGN_KEY, None, None).unwrap();
        let options = EncryptorOptions {
            passphrase: Some(Secret::from("secret")),
            signer: self.signs.then(signer),
            compression: Compression::None,
            ..EncryptorOptions::default()
        };
        Ok(Arc::new(Encryptor::new(options).unwrap()))
    }

    fn is_symmetric(&self) -> bool {
        true
    }

    fn required_signer(&self) -> Option<&SignedBy> {
        self.asks.as_ref()
    }
}

fn asked() -> SignedBy {
    SignedBy {
        key: SIGN_KEY.to_owned(),
        metadata: true,
        unencrypted: false,
    }
}

/// `storage` with these keys.
fn with(world: &World, storage: Arc<dyn Storage>, signs: bool, asks: Option<SignedBy>) -> Target {
    Target {
        keys: Arc::new(Keys { signs, asks }),
        ..world.target(storage, "secret")
    }
}

fn memory(world: &World) -> Arc<dyn Storage> {
    Arc::clone(&world.memory) as Arc<dyn Storage>
}

/// A backup of one file, in one volume. One of 5 MiB is too large to be kept while it is checked: it is read twice.
fn backed_up(mode: VolumeMode, content: Vec<u8>, signs: bool) -> World {
    let mut world = World::new(mode);
    world.volsize = 100 << 20;
    let mut tree = Tree::new();
    tree.put("file", Node::file(content));
    world.put(&tree, None);
    let target = with(&world, memory(&world), signs, None);
    world
        .backup_to(&target, BackupKind::Full, 0, &Heard::default())
        .unwrap();
    world
}

const LARGE: usize = 5 << 20;

/// Restores as somebody who has nothing but the keys; what went wrong, with nothing restored.
#[track_caller]
fn refused(world: &World, target: &Target) -> Error {
    let to = world.root.path().join("out");
    let restored = world.restore_from(target, &to, None, &Heard::default());
    assert!(!to.join("file").exists());
    restored.unwrap_err()
}

#[track_caller]
fn restored(world: &World, target: &Target) {
    let to = world.root.path().join("out");
    world
        .restore_from(target, &to, None, &Heard::default())
        .unwrap();
    Listing::of(&to).assert_is(&world.expected(), "what was restored");
}

fn forget(world: &World) {
    fs::remove_dir_all(world.archive_dir()).unwrap();
}

/// The objects of `other` whose names have `part` in them, in the place of this world's own.
fn replace(world: &World, part: &str, other: &World) {
    world.lose(part);
    for name in other.memory.names() {
        if name.contains(part) {
            let data = other.memory.data(&name).unwrap();
            world.memory.insert(name, data);
        }
    }
}

#[test]
fn what_is_signed_is_restored_also_from_volumes_that_are_read_twice() {
    for len in [1000, LARGE] {
        let world = backed_up(VolumeMode::Encrypted, noise(1, len), true);
        forget(&world);
        restored(&world, &with(&world, memory(&world), false, Some(asked())));
    }
}

#[test]
fn a_volume_without_the_signature_is_refused_also_where_it_is_read_twice() {
    for len in [1000, LARGE] {
        let world = backed_up(VolumeMode::Encrypted, noise(1, len), false);
        let target = with(&world, memory(&world), false, Some(asked()));
        let error = refused(&world, &target);
        assert!(
            matches!(&error, Error::WrongSigner { name, .. } if name.contains("vol1")),
            "{error:?}"
        );
    }
}

#[test]
fn another_key_is_not_the_one_asked_for() {
    let world = backed_up(VolumeMode::Encrypted, noise(1, 1000), true);
    let asks = SignedBy {
        key: "0123456789ABCDEF".to_owned(),
        ..asked()
    };
    let error = refused(&world, &with(&world, memory(&world), true, Some(asks)));
    assert!(matches!(error, Error::WrongSigner { .. }), "{error:?}");
}

#[test]
fn a_manifest_of_the_store_must_be_signed_and_one_of_the_archive_dir_is_trusted() {
    let world = backed_up(VolumeMode::Encrypted, noise(1, 1000), true);
    let other = backed_up(VolumeMode::Encrypted, noise(1, 1000), false);
    replace(&world, "manifest", &other);
    let target = with(&world, memory(&world), false, Some(asked()));
    restored(&world, &target);
    forget(&world);
    fs::remove_dir_all(world.root.path().join("out")).unwrap();
    let error = refused(&world, &target);
    assert!(
        matches!(&error, Error::WrongSigner { name, .. } if name.contains("manifest")),
        "{error:?}"
    );
    assert_eq!(fs::read_dir(world.archive_dir()).unwrap().count(), 0);
}

#[test]
fn signatures_of_the_store_must_be_signed_to_be_listed() {
    let world = backed_up(VolumeMode::Encrypted, noise(1, 1000), true);
    let other = backed_up(VolumeMode::Encrypted, noise(1, 1000), false);
    let list = |target: &Target| {
        forget(&world);
        let mut count = 0;
        let each = |_: &_, _: &_| {
            count += 1;
            ControlFlow::Continue(())
        };
        let listed = redup_engine::list(target, &ListOptions { time: None }, &Silent, each);
        listed.map(|()| count)
    };
    let asking = with(&world, memory(&world), false, Some(asked()));
    assert_eq!(list(&asking).unwrap(), 2);
    replace(&world, "signatures", &other);
    let error = list(&asking).unwrap_err();
    assert!(
        matches!(&error, Error::WrongSigner { name, .. } if name.contains("signatures")),
        "{error:?}"
    );
    // A backup signs what it makes, and goes on with what is there.
    let asks = SignedBy {
        metadata: false,
        ..asked()
    };
    let target = with(&world, memory(&world), true, Some(asks));
    world
        .backup_to(&target, BackupKind::Incremental, 1, &Heard::default())
        .unwrap();
}

#[test]
fn what_is_not_encrypted_is_not_signed() {
    for mode in [VolumeMode::Plain, VolumeMode::Gzip { level: 1 }] {
        let world = backed_up(mode, noise(1, 1000), true);
        let target = with(&world, memory(&world), true, Some(asked()));
        let is_about = |error: Error, part: &str| {
            let text = format!("{error:?}");
            assert!(
                matches!(error, Error::NotSigned { name, .. } if name.contains(part)),
                "{text}"
            );
        };
        // The archive dir has the manifest, which is trusted.
        is_about(refused(&world, &target), "vol1");
        forget(&world);
        is_about(refused(&world, &target), "manifest");
        // But somebody may say that the archive was not encrypted.
        let asks = SignedBy {
            unencrypted: true,
            ..asked()
        };
        restored(&world, &with(&world, memory(&world), true, Some(asks)));
    }
}

#[test]
fn who_says_that_nothing_is_encrypted_gets_nothing_encrypted_without_the_signature() {
    let world = backed_up(VolumeMode::Encrypted, noise(1, 1000), false);
    let asks = SignedBy {
        unencrypted: true,
        ..asked()
    };
    forget(&world);
    let error = refused(&world, &with(&world, memory(&world), true, Some(asks)));
    assert!(matches!(error, Error::WrongSigner { .. }), "{error:?}");
}

#[test]
fn a_store_that_answers_the_second_reading_with_something_else_is_found_out_before_that_is_used() {
    for mode in [
        VolumeMode::Encrypted,
        VolumeMode::Gzip { level: 1 },
        VolumeMode::Plain,
    ] {
        let asks = (mode == VolumeMode::Encrypted).then(asked);
        let world = backed_up(mode, noise(1, LARGE), true);
        // Whole in itself, shorter, and filled up: readers stop before what follows a message or an archive.
        let other = backed_up(mode, noise(2, 1000), false);
        let name = world.memory.names().into_iter();
        let name = name.clone().find(|name| name.contains("vol1")).unwrap();
        let mut theirs = other.memory.data(&name).unwrap().to_vec();
        theirs.resize(world.memory.data(&name).unwrap().len(), 0);

        let readings = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&readings);
        let store = Hooked::new(memory(&world)).getting(move |asked, range| {
            if asked != name {
                return None;
            }
            if range.start == 0 {
                counted.fetch_add(1, Ordering::Relaxed);
            }
            let all = range.start as usize..range.end as usize;
            let is_first = counted.load(Ordering::Relaxed) < 2;
            (!is_first).then(|| theirs[all].to_vec().into())
        });
        forget(&world);
        let target = with(&world, Arc::new(store), true, asks);
        let error = refused(&world, &target);
        assert!(
            matches!(error, Error::AnotherVolume(_)),
            "{mode:?} {error:?}"
        );
        // Once to check it, once to use it, and once more in case it was the line.
        assert_eq!(readings.load(Ordering::Relaxed), 3, "{mode:?}");
    }
}
