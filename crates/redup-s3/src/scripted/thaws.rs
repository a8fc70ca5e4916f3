//! What is asked for when an archived object is to become readable.

use redup_storage::{Access, ObjectInfo, Storage};

use crate::testing::{Answer, Script, options};
use crate::{S3Options, Thaw, ThawTier};

/// The body of the request that gets an object out of `class`.
async fn asked(class: &str, thaw: Thaw) -> String {
    let script = Script::new(|_| Answer::ok());
    let options = S3Options {
        thaw,
        ..options("bkt")
    };
    let store = script.connect(options).await.unwrap();
    let class = class.to_owned();
    let object = ObjectInfo {
        access: Access::Archived { class },
        ..ObjectInfo::new("vol1", 9)
    };
    store.thaw(&object).await.unwrap();
    let request = script.seen().pop().unwrap();
    assert_eq!(request.method, "POST");
    assert!(request.uri.contains("/p/vol1?restore"), "{}", request.uri);
    String::from_utf8(request.body).unwrap()
}

#[tokio::test]
async fn the_tier_and_the_days_are_those_of_the_options() {
    for (tier, name) in [
        (ThawTier::Bulk, "Bulk"),
        (ThawTier::Standard, "Standard"),
        (ThawTier::Expedited, "Expedited"),
    ] {
        let body = asked("GLACIER", Thaw { tier, days: 3 }).await;
        assert!(body.contains(&format!("<Tier>{name}</Tier>")), "{body}");
        assert!(body.contains("<Days>3</Days>"), "{body}");
    }
    let body = asked("DEEP_ARCHIVE", Thaw::default()).await;
    assert!(body.contains("<Tier>Standard</Tier>"), "{body}");
    assert!(body.contains("<Days>7</Days>"), "{body}");
}

#[tokio::test]
async fn what_moves_for_good_is_not_asked_for_a_number_of_days() {
    let body = asked("DEEP_ARCHIVE_ACCESS", Thaw::default()).await;
    assert!(body.contains("<Tier>Standard</Tier>"), "{body}");
    assert!(!body.contains("Days"), "{body}");
}
