//! Calls past the generated clients: any bytes to any path, and signed contexts straight to a backend.

use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use bytes::{Buf as _, BufMut as _, Bytes};
use futures_util::stream;
use http::{HeaderValue, uri::PathAndQuery};
use shouwen_access::context::HEADER;
use tonic::{
    Request, Response, Status,
    client::Grpc,
    codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
    metadata::MetadataValue,
};

use super::client::Client;

/// A codec that leaves bytes as they are.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Raw;

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put(item);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(buffer.copy_to_bytes(buffer.remaining())))
    }
}

/// A call of one message, of whatever kind the method is; returns once its first answer is there.
pub(crate) async fn first(client: &Client, path: &str, body: impl Into<Bytes>) -> Result<(), Status> {
    let mut grpc = Grpc::new(client.service());
    grpc.ready().await.map_err(|error| Status::unavailable(error.to_string()))?;
    let request = Request::new(stream::iter([body.into()]));
    let mut answers = grpc.streaming(request, PathAndQuery::try_from(path).unwrap(), Raw).await?;
    answers.get_mut().message().await.map(drop)
}

/// A unary call of these bytes; with a context, it is what a gateway would send to a backend.
pub(crate) async fn call(
    client: &Client,
    path: &str,
    body: impl Into<Bytes>,
    context: Option<&HeaderValue>,
) -> Result<Response<Bytes>, Status> {
    let mut grpc = Grpc::new(client.service());
    grpc.ready().await.map_err(|error| Status::unavailable(error.to_string()))?;
    let mut request = Request::new(body.into());
    if let Some(context) = context {
        let bytes = STANDARD_NO_PAD.decode(context.as_bytes()).unwrap();
        request.metadata_mut().insert_bin(HEADER, MetadataValue::from_bytes(&bytes));
    }
    grpc.unary(request, PathAndQuery::try_from(path).unwrap(), Raw).await
}
