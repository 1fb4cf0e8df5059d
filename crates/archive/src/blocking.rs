//! From async streams of blocks to `std::io::Read`, for the engines, which are synchronous.

use std::io::{self, Read};

use bytes::{Buf, Bytes};
use futures::StreamExt;
use tokio::sync::mpsc;

use crate::{Error, ErrorKind, Result, ports::ByteStream};

/// Reads a stream of blocks from a thread that may block; at most two blocks wait in between.
pub(crate) struct BlockReader {
    blocks: mpsc::Receiver<Result<Bytes>>,
    current: Bytes,
    /// What the stream broke off with.
    broken: Option<(ErrorKind, String)>,
}

impl BlockReader {
    /// Begins to pull the stream on the runtime of the caller.
    pub(crate) fn new(mut stream: ByteStream) -> Self {
        let (sender, blocks) = mpsc::channel(2);
        tokio::spawn(async move {
            while let Some(block) = stream.next().await {
                if sender.send(block).await.is_err() {
                    return;
                }
            }
        });
        Self { blocks, current: Bytes::new(), broken: None }
    }

    /// The port's own error if the stream broke off, for readers that only know that they came to no end.
    pub(crate) fn intact(&self) -> Result<()> {
        match &self.broken {
            Some((kind, message)) => Err(Error::new(*kind, message.clone())),
            None => Ok(()),
        }
    }

    /// The port's own error, if that is what a read ended with.
    pub(crate) fn inner_error(error: io::Error) -> std::result::Result<Error, io::Error> {
        error.downcast::<Error>()
    }
}

impl Read for BlockReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.current.is_empty() {
            match self.blocks.blocking_recv() {
                None => return Ok(0),
                Some(Ok(block)) => self.current = block,
                Some(Err(error)) => {
                    self.broken = Some((error.kind(), error.to_string()));
                    return Err(io::Error::other(error));
                }
            }
        }
        let length = buffer.len().min(self.current.len());
        self.current.copy_to_slice(buffer.get_mut(..length).unwrap_or_default());
        Ok(length)
    }
}
