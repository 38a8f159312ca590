//! A broadcasting consumer's offsets in a file, as Java keeps them (`LocalFileOffsetStore`).

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use stgclient_core::error::{Error, ErrorKind};
use stgclient_core::queue::MessageQueue;
use stgclient_core::wire::body;
use stgclient_runtime::{BoxFuture, OffsetStore};

const NAME: &str = "offsets.json";

/// Where a broadcasting consumer keeps its offsets: `FOLDER/INSTANCE/GROUP/offsets.json`, in the format of Java's client.
///
/// The file is replaced as a whole, so that a crash leaves either the old offsets or the new ones. One consumer at a time
/// can use it; a second one fails at its start, in this process or in another.
///
/// ```no_run
/// # async fn run(client: stgclient::Client) -> Result<(), stgclient::Error> {
/// use stgclient::{FileOffsets, MessageModel};
///
/// let consumer = client
///     .push_consumer("prices")
///     .subscribe("ticks", "*")
///     .message_model(MessageModel::Broadcasting)
///     .offset_store(FileOffsets::new("/var/lib/ticker", "DEFAULT", "prices"))
///     .concurrently(|tick| async move {
///         println!("{tick:?}");
///         Ok(())
///     })
///     .start()
///     .await?;
/// # consumer.close().await;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct FileOffsets {
    folder: PathBuf,
    /// Held as long as the store is used.
    lock: Arc<Mutex<Option<File>>>,
}

impl FileOffsets {
    /// Offsets of `group` below `folder`. `instance` tells consumers of one group on one machine apart.
    pub fn new(folder: impl AsRef<Path>, instance: &str, group: &str) -> Self {
        Self { folder: folder.as_ref().join(instance).join(group), lock: Arc::default() }
    }

    /// The file.
    pub fn path(&self) -> PathBuf {
        self.folder.join(NAME)
    }

    fn error(&self, what: &str, error: &io::Error) -> Error {
        let path = self.path();
        Error::new(ErrorKind::OffsetStore, format!("{what} {}: {error}", path.display()))
    }

    fn lock(&self) -> Result<(), Error> {
        let mut lock = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        if lock.is_some() {
            let used = io::Error::other("another consumer of this process uses it");
            return Err(self.error("cannot use", &used));
        }
        let open = || {
            fs::create_dir_all(&self.folder)?;
            OpenOptions::new().create(true).append(true).open(self.folder.join("lock"))
        };
        let file = open().map_err(|error| self.error("cannot create", &error))?;
        match file.try_lock() {
            Ok(()) => {
                *lock = Some(file);
                Ok(())
            }
            Err(TryLockError::WouldBlock) => {
                let used = io::Error::other("another consumer uses it; give each an instance of its own");
                Err(self.error("cannot use", &used))
            }
            Err(TryLockError::Error(error)) => Err(self.error("cannot lock", &error)),
        }
    }

    fn read(&self) -> Result<BTreeMap<MessageQueue, u64>, Error> {
        // Java's client writes the old offsets beside the new ones, and reads them if these cannot be.
        let mut last = None;
        for path in [self.path(), self.path().with_extension("json.bak")] {
            match fs::read(&path) {
                Ok(text) => match body::from_slice::<body::ResetOffsets>(&text) {
                    Ok(stored) => return Ok(offsets(stored)),
                    Err(error) => last = Some(io::Error::new(io::ErrorKind::InvalidData, error)),
                },
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => last = Some(error),
            }
        }
        last.map_or_else(|| Ok(BTreeMap::new()), |error| Err(self.error("cannot read", &error)))
    }

    fn write(&self, offsets: &BTreeMap<MessageQueue, u64>) -> io::Result<()> {
        let stored = body::ResetOffsets {
            offset_table: offsets
                .iter()
                .map(|(queue, offset)| (queue.key(), i64::try_from(*offset).unwrap_or(i64::MAX)))
                .collect(),
        };
        let new = self.path().with_extension("json.new");
        let mut file = File::create(&new)?;
        file.write_all(&body::to_vec(&stored))?;
        file.sync_all()?;
        fs::rename(&new, self.path())
    }
}

fn offsets(stored: body::ResetOffsets) -> BTreeMap<MessageQueue, u64> {
    let stored = stored.offset_table.into_iter();
    stored.filter_map(|(key, offset)| Some((MessageQueue::of_key(key)?, u64::try_from(offset).ok()?))).collect()
}

/// Files block: they are for threads that may.
fn blocking<R: Send + 'static>(act: impl FnOnce() -> Result<R, Error> + Send + 'static) -> BoxFuture<Result<R, Error>> {
    Box::pin(async move {
        let done = tokio::task::spawn_blocking(act).await;
        done.unwrap_or_else(|error| Err(Error::new(ErrorKind::OffsetStore, error.to_string())))
    })
}

impl OffsetStore for FileOffsets {
    fn load(&self) -> BoxFuture<Result<BTreeMap<MessageQueue, u64>, Error>> {
        let this = self.clone();
        blocking(move || {
            this.lock()?;
            this.read()
        })
    }

    fn store(&self, offsets: BTreeMap<MessageQueue, u64>) -> BoxFuture<Result<(), Error>> {
        let this = self.clone();
        blocking(move || this.write(&offsets).map_err(|error| this.error("cannot write", &error)))
    }

    fn close(&self) {
        *self.lock.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder of its own, gone at the end.
    struct Folder(PathBuf);

    impl Folder {
        // Tests of another process have folders of their own.
        #[allow(clippy::disallowed_methods)]
        fn new(name: &str) -> Self {
            let folder = std::env::temp_dir().join(format!("stgclient-{}-{name}", std::process::id()));
            Self(folder)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn some() -> BTreeMap<MessageQueue, u64> {
        (0..3).map(|queue| (MessageQueue::new("T", "broker-a", queue), u64::from(queue) * 10)).collect()
    }

    #[tokio::test]
    async fn what_was_stored_is_found_again() {
        let folder = Folder::new("again");
        let store = FileOffsets::new(&folder.0, "DEFAULT", "G");
        assert!(store.load().await.unwrap().is_empty());
        store.store(some()).await.unwrap();
        drop(store);
        assert_eq!(FileOffsets::new(&folder.0, "DEFAULT", "G").load().await.unwrap(), some());
    }

    #[tokio::test]
    async fn two_consumers_cannot_use_one_file_at_a_time() {
        let folder = Folder::new("twice");
        let store = FileOffsets::new(&folder.0, "DEFAULT", "G");
        store.load().await.unwrap();
        let error = FileOffsets::new(&folder.0, "DEFAULT", "G").load().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::OffsetStore);
        assert!(error.to_string().contains("give each an instance of its own"), "{error}");
        assert!(FileOffsets::new(&folder.0, "OTHER", "G").load().await.unwrap().is_empty());
        drop(store);
        FileOffsets::new(&folder.0, "DEFAULT", "G").load().await.unwrap();
    }

    #[tokio::test]
    async fn what_java_wrote_is_read_and_what_is_broken_is_an_error_unless_there_is_an_older_one() {
        let folder = Folder::new("java");
        let store = || FileOffsets::new(&folder.0, "DEFAULT", "G");
        let path = store().path();
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let text = "{\n\t\"offsetTable\":{{\n\t\t\"brokerName\":\"b\",\n\t\t\"queueId\":1,\n\t\t\"topic\":\"T\"\n\t}:12\n\t}\n}";
        fs::write(&path, text).unwrap();
        assert_eq!(store().load().await.unwrap(), [(MessageQueue::new("T", "b", 1), 12)].into());
        fs::write(&path, "{").unwrap();
        assert_eq!(store().load().await.unwrap_err().kind(), ErrorKind::OffsetStore);
        fs::write(path.with_extension("json.bak"), text).unwrap();
        assert_eq!(store().load().await.unwrap().len(), 1);
    }
}
