//! What HEAD tells of an object's content.

use bytes::Bytes;
use redup_storage::{ObjectKind, Storage};
use sha1::{Digest as _, Sha1};

use crate::surroundings::with_store;
use redup_testkit::server::S3Server;

#[test]
fn head_tells_the_content_of_objects_of_one_request_and_of_many() {
    with_store("s3://backups/p", |server, store| async move {
        let small = Bytes::from_static(b"some manifest");
        store
            .put("manifest", small.clone(), ObjectKind::Manifest)
            .await
            .unwrap();
        let found = store.head("manifest").await.unwrap();
        assert_eq!(found.sha1, Some(Sha1::digest(&small).into()));
        let seen = server.boto3(
            "print(s3.head_object(Bucket='backups', Key='p/manifest')['Metadata']['redup-sha1'])",
        );
        assert_eq!(seen.trim(), "af08e09dbda83c9b27a9d7592766044fb2fc0a73");

        let upload = store
            .begin_upload("volume", ObjectKind::Volume)
            .await
            .unwrap();
        let size = upload.part_size() as usize;
        let large: Bytes = (0..size + 99).map(|at| (at / 7) as u8).collect();
        upload.put_part(0, large.slice(..size)).await.unwrap();
        upload.put_part(1, large.slice(size..)).await.unwrap();
        upload.complete(2, large.len() as u64).await.unwrap();
        let found = store.head("volume").await.unwrap();
        assert_eq!(found.crc32, Some(crc32fast::hash(&large)));
        assert_eq!((found.sha1, found.len), (None, large.len() as u64));
    });
}
