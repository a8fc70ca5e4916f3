//! A server, a bucket, and a store on it.

use std::sync::{Arc, Mutex};

use redup_s3::{Keys, Notice, S3Options, S3Storage};
use redup_storage::{S3Url, TargetUrl};
use redup_testkit::seaweed::SeaweedServer;
use redup_testkit::server::{self, S3Server};

pub(crate) fn url(text: &str) -> S3Url {
    match TargetUrl::parse(text).unwrap() {
        TargetUrl::S3(url) => url,
        other @ TargetUrl::File(_) => panic!("{other}"),
    }
}

/// Options for a bucket of this server.
pub(crate) fn options(server: &dyn S3Server, target: &str) -> S3Options {
    S3Options {
        endpoint_url: Some(server.endpoint_url()),
        region: Some("us-east-1".into()),
        keys: Some(keys(server::ACCESS_KEY, server::SECRET_KEY)),
        part_size: Some(5 << 20),
        ..S3Options::new(url(target))
    }
}

pub(crate) fn keys(id: &str, secret: &str) -> Keys {
    Keys {
        access_key_id: id.into(),
        secret_access_key: secret.into(),
        session_token: None,
    }
}

/// What a store tells its user.
#[derive(Clone, Default)]
pub(crate) struct Notices(Arc<Mutex<Vec<Notice>>>);

impl Notices {
    pub(crate) fn listen(&self, options: S3Options) -> S3Options {
        let notices = Arc::clone(&self.0);
        let notify = move |notice: &Notice| notices.lock().unwrap().push(notice.clone());
        S3Options {
            notify: Some(Arc::new(notify)),
            ..options
        }
    }

    pub(crate) fn all(&self) -> Vec<Notice> {
        self.0.lock().unwrap().clone()
    }
}

/// A server with the bucket `backups`, and a store on `target` in it.
pub(crate) fn with_store<F: Future<Output = ()>>(
    target: &str,
    test: impl FnOnce(Arc<SeaweedServer>, S3Storage) -> F,
) {
    let server = SeaweedServer::start();
    server.create_bucket("backups");
    let options = options(&server, target);
    runtime().block_on(async {
        let store = S3Storage::connect(options).await.unwrap();
        test(Arc::new(server), store).await;
    });
}

pub(crate) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap()
}
