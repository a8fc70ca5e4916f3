//! Listings: the objects below the prefix, and the uploads that nobody has ended.
//!
//! Objects are asked for by the protocol's second form of listing. A server that knows the first one alone
//! answers that, and its page has no token to go on with: from there the first form goes on behind the
//! last key. A listing that neither of them brings to its end is an error, never a short listing: what
//! is missing in it would be taken for gone.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use std::time::SystemTime;

use aws_sdk_s3::types::{CommonPrefix, EncodingType, MultipartUpload, Object};
use redup_storage::{ErrorKind, ObjectInfo, Op, Result, Unfinished, check_name, percent_decoded};

use crate::error::{Failure, Trouble};
use crate::facts;
use crate::storage::Bucket;

/// Requests for one listing; a server that pages in circles is not followed for ever.
const MOST_PAGES: usize = 1_000_000;

/// Where a page begins.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Begin {
    /// At the first key, in the second form.
    First,
    /// Where this token leads, in the second form.
    Token(String),
    /// Behind this key, in the first form.
    Behind(String),
}

/// A page in either form.
#[derive(Debug, Default)]
struct Page {
    objects: Vec<Object>,
    /// Folders below the prefix, which stand for the keys in them.
    folders: Vec<String>,
    /// Whether there is more, as far as the server says.
    more: bool,
    token: Option<String>,
    /// Whether keys are URL-encoded.
    encoded: bool,
}

type Answer<T> = std::result::Result<T, Failure>;

impl Bucket {
    pub(crate) async fn list(&self) -> Result<Vec<ObjectInfo>> {
        let mut objects = Vec::new();
        let mut last = String::new();
        let mut begin = Begin::First;
        let mut encoded = false;
        let mut seen = SeenPages::default();
        for _ in 0..MOST_PAGES {
            let page = match self.page(&begin, encoded).await {
                Ok(page) => page,
                // Somebody's key has a character that XML has no way to write.
                Err(failure) if !encoded && failure.trouble() == Trouble::Garbled => {
                    encoded = true;
                    continue;
                }
                Err(failure) if begin == Begin::First && failure.means_unknown_request() => {
                    begin = Begin::Behind(String::new());
                    continue;
                }
                Err(failure) => return Err(failure.into_error(Op::List, "", &self.place)),
            };
            if page.repeats(&begin) || seen.has(&page) {
                begin = Begin::Behind(last.clone());
                continue;
            }
            let before = last.clone();
            for object in &page.objects {
                let key = self.decoded(object.key().unwrap_or_default(), page.encoded);
                let again = matches!(&begin, Begin::Behind(marker) if key <= *marker);
                objects.extend(self.listed(&key, object).filter(|_| !again));
                last = last.max(key);
            }
            for folder in &page.folders {
                last = last.max(self.decoded(folder, page.encoded));
            }
            begin = match (page.token, &begin) {
                _ if !page.more => return Ok(objects),
                (Some(token), _) => Begin::Token(token),
                (None, Begin::Behind(_)) if last == before => break,
                (None, _) => Begin::Behind(last.clone()),
            };
        }
        Err(self
            .error(ErrorKind::Other, Op::List, "")
            .with_detail("the listing does not end"))
    }

    async fn page(&self, begin: &Begin, encoded: bool) -> Answer<Page> {
        let prefix = Some(self.place.prefix.clone()).filter(|prefix| !prefix.is_empty());
        let encoding = encoded.then_some(EncodingType::Url);
        let settings = self.request_for(0);
        if let Begin::Behind(key) = begin {
            let request = self.client.list_objects().bucket(&self.place.bucket);
            let request = request
                .set_prefix(prefix)
                .delimiter("/")
                .set_encoding_type(encoding)
                .set_marker(Some(key.clone()).filter(|key| !key.is_empty()));
            let answer = request.customize().config_override(settings).send().await;
            let page = answer.map_err(|error| Failure::of(&error))?;
            return Ok(Page {
                encoded: page.encoding_type() == Some(&EncodingType::Url),
                more: page.is_truncated() == Some(true),
                token: None,
                folders: folders(page.common_prefixes()),
                objects: page.contents.unwrap_or_default(),
            });
        }
        let token = match begin {
            Begin::Token(token) => Some(token.clone()),
            _ => None,
        };
        let request = self.client.list_objects_v2().bucket(&self.place.bucket);
        let request = request
            .set_prefix(prefix)
            .delimiter("/")
            .set_encoding_type(encoding)
            .set_continuation_token(token);
        let answer = request.customize().config_override(settings).send().await;
        let page = answer.map_err(|error| Failure::of(&error))?;
        let token = page.next_continuation_token;
        Ok(Page {
            encoded: page.encoding_type == Some(EncodingType::Url),
            more: page.is_truncated.unwrap_or(token.is_some()),
            token,
            folders: folders(page.common_prefixes.as_deref().unwrap_or_default()),
            objects: page.contents.unwrap_or_default(),
        })
    }

    /// An object directly below the prefix.
    fn listed(&self, key: &str, object: &Object) -> Option<ObjectInfo> {
        let name = key.strip_prefix(&self.place.prefix)?;
        let len = object.size().and_then(|size| u64::try_from(size).ok())?;
        check_name(Op::List, "", name).ok()?;
        Some(ObjectInfo {
            access: facts::access_of_listed(object),
            ..ObjectInfo::new(name, len)
        })
    }

    /// A key as it is. Where it is URL-encoded, a plus is a space with some servers, and itself with
    /// others: the prefix tells.
    fn decoded(&self, key: &str, encoded: bool) -> String {
        if !encoded {
            return key.to_owned();
        }
        let decoded = |text: &str| {
            let key = percent_decoded(text.as_bytes());
            String::from_utf8_lossy(&key).into_owned()
        };
        let with_spaces = decoded(&key.replace('+', " "));
        match with_spaces.starts_with(&self.place.prefix) {
            true => with_spaces,
            false => decoded(key),
        }
    }

    /// The length of an object as a listing has it.
    pub(crate) async fn listed_len(&self, op: Op, name: &str) -> Result<Option<i64>> {
        let key = self.key(name);
        let page = self
            .client
            .list_objects_v2()
            .bucket(&self.place.bucket)
            .prefix(&key)
            .max_keys(1)
            .customize()
            .config_override(self.request_for(0))
            .send()
            .await
            .map_err(|error| Failure::of(&error).into_error(op, name, &self.place))?;
        match page.contents() {
            // Of all keys that begin with it, the key itself is the first.
            [object, ..] if object.key() == Some(&key) => Ok(object.size()),
            _ => Err(self.error(ErrorKind::NotFound, op, name)),
        }
    }

    pub(crate) async fn list_unfinished(&self) -> Result<Vec<Unfinished>> {
        let mut found = Vec::new();
        let mut marker: (Option<String>, Option<String>) = (None, None);
        for _ in 0..MOST_PAGES {
            let page = self
                .client
                .list_multipart_uploads()
                .bucket(&self.place.bucket)
                .set_prefix(Some(self.place.prefix.clone()).filter(|prefix| !prefix.is_empty()))
                .set_key_marker(marker.0.clone())
                .set_upload_id_marker(marker.1.clone())
                .customize()
                .config_override(self.request_for(0))
                .send()
                .await;
            let page = match page.map_err(|error| Failure::of(&error)) {
                Ok(page) => page,
                // Some servers do not have this request.
                Err(failure) if failure.means_unknown_request() => return Ok(found),
                Err(failure) => {
                    return Err(failure.into_error(Op::ListUnfinished, "", &self.place));
                }
            };
            found.extend(
                page.uploads()
                    .iter()
                    .filter_map(|upload| self.unfinished(upload)),
            );
            let next = (
                page.next_key_marker().map(ToOwned::to_owned),
                page.next_upload_id_marker().map(ToOwned::to_owned),
            );
            if page.is_truncated() != Some(true) || next == marker {
                return Ok(found);
            }
            marker = next;
        }
        Ok(found)
    }

    /// An upload of ours: one directly below the prefix.
    fn unfinished(&self, upload: &MultipartUpload) -> Option<Unfinished> {
        let name = upload.key()?.strip_prefix(&self.place.prefix)?;
        check_name(Op::ListUnfinished, "", name).ok()?;
        let begun = upload
            .initiated()
            .and_then(|time| SystemTime::try_from(*time).ok());
        let age = begun.and_then(|time| SystemTime::now().duration_since(time).ok());
        Some(Unfinished {
            name: Some(name.to_owned()),
            age: age.unwrap_or_default(),
            id: upload.upload_id()?.to_owned(),
        })
    }
}

/// The pages of the second form that were there before, by what they list: tokens may lead in wider circles, and be
/// new ones each time. Not by their order, which some servers do not keep.
#[derive(Default)]
struct SeenPages {
    hasher: RandomState,
    seen: HashSet<u64>,
}

impl SeenPages {
    /// Whether there was a page like this one. One that is asked to be followed no further may be any.
    fn has(&mut self, page: &Page) -> bool {
        if page.token.is_none() || (page.objects.is_empty() && page.folders.is_empty()) {
            return false;
        }
        let keys: Vec<_> = page.objects.iter().map(Object::key).collect();
        !self
            .seen
            .insert(self.hasher.hash_one((keys, &page.folders)))
    }
}

impl Page {
    /// Whether this leads to where it began: so it may be any page, and most likely the first.
    fn repeats(&self, begin: &Begin) -> bool {
        matches!((begin, &self.token), (Begin::Token(old), Some(new)) if old == new)
    }
}

fn folders(prefixes: &[CommonPrefix]) -> Vec<String> {
    let names = prefixes.iter().filter_map(|it| it.prefix());
    names.map(str::to_owned).collect()
}
