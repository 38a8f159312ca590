//! A broadcasting consumer's offsets in a file, as Java keeps them (`LocalFileOffsetStore`).

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use stgclient_core::error::{Error, ErrorKind};
use stgclient_core::queue::MessageQueue;
use stgclient_host::{BoxFuture, OffsetStore, read_offsets, write_offsets};

const NAME: &str = "offsets.json";

/// Where a broadcasting consumer keeps its offsets, or a pull consumer's application ([`load`](OffsetStore::load),
/// [`store`](OffsetStore::store)): `FOLDER/INSTANCE/GROUP/offsets.json`, in the format of Java's client.
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
    /// What is wrong with the names that the folder is made of.
    wrong: Option<String>,
    /// Held as long as the store is used.
    lock: Arc<Mutex<Option<Arc<File>>>>,
}

impl FileOffsets {
    /// Offsets of `group` below `folder`. `instance` tells consumers of one group on one machine apart. Names that are no
    /// name of a folder fail the consumer's start: `..`, or one with a slash.
    pub fn new(folder: impl AsRef<Path>, instance: &str, group: &str) -> Self {
        let wrong = [("instance", instance), ("group", group)].into_iter().find(|(_, name)| !is_folder_name(name));
        Self {
            folder: folder.as_ref().join(instance).join(group),
            wrong: wrong.map(|(what, name)| format!("the {what} {name:?} is no name of a folder")),
            lock: Arc::default(),
        }
    }

    /// The file.
    pub fn path(&self) -> PathBuf {
        self.folder.join(NAME)
    }

    fn error(&self, what: &str, error: io::Error) -> Error {
        let path = self.path();
        Error::new(ErrorKind::OffsetStore, format!("{what} {}: {error}", path.display())).with_source(error)
    }

    /// Takes the lock; it is given back when the guard is dropped, unless that is kept.
    fn lock(&self) -> Result<Held<'_>, Error> {
        if let Some(wrong) = &self.wrong {
            return Err(Error::new(ErrorKind::InvalidArgument, wrong.as_str()));
        }
        let mut lock = self.held();
        if lock.is_some() {
            let used = io::Error::other("another consumer of this process uses it");
            return Err(self.error("cannot use", used));
        }
        *lock = Some(Arc::new(self.lock_file()?));
        Ok(Held(Some(self)))
    }

    fn lock_file(&self) -> Result<File, Error> {
        let open = || {
            fs::create_dir_all(&self.folder)?;
            OpenOptions::new().create(true).append(true).open(self.folder.join("lock"))
        };
        let file = open().map_err(|error| self.error("cannot create", error))?;
        match file.try_lock() {
            Ok(()) => Ok(file),
            Err(TryLockError::WouldBlock) => {
                let used = io::Error::other("another consumer uses it; give each an instance of its own");
                Err(self.error("cannot use", used))
            }
            Err(TryLockError::Error(error)) => Err(self.error("cannot lock", error)),
        }
    }

    fn held(&self) -> MutexGuard<'_, Option<Arc<File>>> {
        self.lock.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read(&self) -> Result<Found, Error> {
        let (mut damage, mut is_empty) = (None, false);
        // Java's client writes the old offsets beside the new ones, and reads them if these cannot be.
        for path in [self.path(), self.path().with_extension("json.bak")] {
            let failure = match fs::read(&path) {
                Ok(text) => match read_offsets(&text) {
                    // A file that was made and never written, by a disk that was full or a machine that stopped.
                    Ok(None) => {
                        is_empty = true;
                        continue;
                    }
                    Ok(Some(offsets)) => {
                        let is_older = is_empty || damage.is_some();
                        return Ok(Found { offsets, instead: is_older.then(|| age(&path)) });
                    }
                    Err(error) => io::Error::new(io::ErrorKind::InvalidData, error),
                },
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => error,
            };
            damage.get_or_insert(failure);
        }
        damage.map_or_else(|| Ok(Found::default()), |error| Err(self.error("cannot read", error)))
    }

    fn write(&self, offsets: &BTreeMap<MessageQueue, u64>) -> Result<(), Error> {
        match self.replace(offsets) {
            // Once it is closed the lock is nobody's here: there is nothing left to write for.
            Err(error) if error.kind() == io::ErrorKind::NotFound && self.held().is_some() => {
                // Somebody has removed the folder, and the lock with it.
                *self.held() = Some(Arc::new(self.lock_file()?));
                self.replace(offsets)
            }
            written => written,
        }
        .map_err(|error| self.error("cannot write", error))
    }

    fn replace(&self, offsets: &BTreeMap<MessageQueue, u64>) -> io::Result<()> {
        let new = self.path().with_extension("json.new");
        let mut file = File::create(&new)?;
        file.write_all(&write_offsets(offsets))?;
        file.sync_all()?;
        fs::rename(&new, self.path())
    }
}

/// The lock of a store that is being loaded.
struct Held<'a>(Option<&'a FileOffsets>);

impl Held<'_> {
    fn keep(mut self) {
        self.0 = None;
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        if let Some(store) = self.0 {
            *store.held() = None;
        }
    }
}

/// What a file was found to say.
#[derive(Debug, Default)]
struct Found {
    offsets: BTreeMap<MessageQueue, u64>,
    /// They are older ones, because the newest cannot be read; in words, of when.
    instead: Option<String>,
}

/// How old a file is, in words.
fn age(path: &Path) -> String {
    let age = fs::metadata(path).and_then(|metadata| metadata.modified()).ok().and_then(|at| at.elapsed().ok());
    age.map_or_else(|| "of an unknown time".to_owned(), |age| format!("{} seconds old", age.as_secs()))
}

/// Whether a name is one of a folder, and of no other place than where it is looked for.
fn is_folder_name(name: &str) -> bool {
    !matches!(name, "" | "." | "..") && !name.contains(['/', '\\', '\0'])
}

/// Files block: they are for threads that may. What comes of it is `taken` by whoever still waits for it.
fn blocking<D: Send + 'static, R: 'static>(
    act: impl FnOnce() -> Result<D, Error> + Send + 'static,
    take: impl FnOnce(D) -> R + Send + 'static,
) -> BoxFuture<Result<R, Error>> {
    Box::pin(async move {
        let done = tokio::task::spawn_blocking(act).await;
        done.unwrap_or_else(|error| Err(Error::new(ErrorKind::OffsetStore, error.to_string()))).map(take)
    })
}

impl OffsetStore for FileOffsets {
    fn load(&self) -> BoxFuture<Result<BTreeMap<MessageQueue, u64>, Error>> {
        let this = self.clone();
        blocking(
            move || {
                let held = this.lock()?;
                let found = this.read()?;
                held.keep();
                Ok(Loaded { store: this.clone(), found, is_taken: false })
            },
            Loaded::take,
        )
    }

    fn store(&self, offsets: BTreeMap<MessageQueue, u64>) -> BoxFuture<Result<(), Error>> {
        let this = self.clone();
        // Whoever writes has a share of the lock, also when nobody waits for it any more.
        let share = self.held().clone();
        let write = move || {
            let written = this.write(&offsets);
            drop(share);
            written
        };
        blocking(write, |()| ())
    }

    fn close(&self) {
        *self.held() = None;
    }
}

/// What has been loaded, on its way to the consumer. When that has given up meanwhile, the lock goes back.
struct Loaded {
    store: FileOffsets,
    found: Found,
    is_taken: bool,
}

impl Loaded {
    fn take(mut self) -> BTreeMap<MessageQueue, u64> {
        let Found { offsets, instead } = std::mem::take(&mut self.found);
        if let Some(instead) = instead {
            let path = self.store.path();
            tracing::warn!(path = %path.display(), "stored offsets cannot be read; older ones beside them, {instead}, are used");
        }
        self.is_taken = true;
        offsets
    }
}

impl Drop for Loaded {
    fn drop(&mut self) {
        if !self.is_taken {
            self.store.close();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::task::Poll;

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

    #[tokio::test]
    async fn a_load_that_fails_or_is_given_up_gives_the_file_back() {
        let folder = Folder::new("given-back");
        let store = FileOffsets::new(&folder.0, "DEFAULT", "G");
        fs::create_dir_all(store.path().parent().unwrap()).unwrap();
        fs::write(store.path(), "{").unwrap();
        for _ in 0..3 {
            let error = store.load().await.unwrap_err();
            assert!(error.to_string().contains("cannot read"), "{error}");
        }
        fs::write(store.path(), "").unwrap();
        for _ in 0..20 {
            let mut load = store.load();
            if let Poll::Ready(Ok(_)) = std::future::poll_fn(|context| Poll::Ready(load.as_mut().poll(context))).await {
                store.close();
            }
        }
        // The last one may still be on its way; a store that stays locked never loads.
        let mut tries = 0;
        while store.load().await.is_err() {
            tries += 1;
            assert!(tries < 10_000);
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn a_name_that_leads_out_of_the_folder_is_refused_before_anything_is_made() {
        let folder = Folder::new("names");
        let below = folder.0.join("below");
        for (instance, group) in [
            ("DEFAULT", "../../escaped"),
            ("../../escaped", "G"),
            ("..", "G"),
            ("DEFAULT", ""),
            ("a\\b", "G"),
            (".", "G"),
        ] {
            let error = FileOffsets::new(&below, instance, group).load().await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{instance} {group}");
        }
        assert!(!folder.0.exists());
    }

    #[tokio::test]
    async fn an_empty_file_is_none() {
        let folder = Folder::new("empty");
        let store = || FileOffsets::new(&folder.0, "DEFAULT", "G");
        fs::create_dir_all(store().path().parent().unwrap()).unwrap();
        fs::write(store().path(), "").unwrap();
        assert!(store().load().await.unwrap().is_empty());
        fs::write(store().path(), [0; 64]).unwrap();
        assert!(store().load().await.unwrap().is_empty());
    }

    #[tokio::test]
    async fn an_older_file_is_used_only_with_words_that_say_how_old_it_is() {
        let folder = Folder::new("older");
        let store = FileOffsets::new(&folder.0, "DEFAULT", "G");
        store.load().await.unwrap();
        store.store(some()).await.unwrap();
        let backup = store.path().with_extension("json.bak");
        fs::rename(store.path(), &backup).unwrap();
        fs::write(store.path(), "{").unwrap();
        let hour_ago = fs::metadata(&backup).unwrap().modified().unwrap() - std::time::Duration::from_secs(3600);
        File::options().append(true).open(&backup).unwrap().set_modified(hour_ago).unwrap();
        let found = store.read().unwrap();
        assert_eq!(found.offsets, some());
        let instead = found.instead.unwrap();
        assert!(instead.starts_with("36") && instead.ends_with("seconds old"), "{instead}");
        fs::remove_file(store.path()).unwrap();
        assert_eq!(store.read().unwrap().instead, None, "nothing is damaged");
    }

    #[tokio::test]
    async fn a_folder_that_is_removed_while_it_is_used_is_made_again_with_its_lock() {
        let folder = Folder::new("removed");
        let store = FileOffsets::new(&folder.0, "DEFAULT", "G");
        store.load().await.unwrap();
        fs::remove_dir_all(&folder.0).unwrap();
        store.store(some()).await.unwrap();
        let other = FileOffsets::new(&folder.0, "DEFAULT", "G");
        assert!(other.load().await.unwrap_err().to_string().contains("another consumer uses it"));
        store.close();
        assert_eq!(other.load().await.unwrap(), some());
    }
}
