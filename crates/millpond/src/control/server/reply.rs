//! Answers: JSON, or why there is none, as Flink says it.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

/// What a handler gives.
pub(super) type Reply = Result<Json<Value>, Refused>;

/// Why a request is not answered: a status, and a message for a person.
#[derive(Debug)]
pub(super) struct Refused {
    status: StatusCode,
    message: String,
}

impl Refused {
    /// What was sent is wrong.
    pub(super) fn bad_request(message: impl Into<String>) -> Self {
        Refused { status: StatusCode::BAD_REQUEST, message: message.into() }
    }
    /// Whoever asks may not.
    pub(super) fn forbidden(message: impl Into<String>) -> Self {
        Refused { status: StatusCode::FORBIDDEN, message: message.into() }
    }
    /// There is no such thing here.
    pub(super) fn not_found(message: impl Into<String>) -> Self {
        Refused { status: StatusCode::NOT_FOUND, message: message.into() }
    }
    /// The path exists, but not for this method.
    pub(super) fn method_not_allowed(message: impl Into<String>) -> Self {
        Refused { status: StatusCode::METHOD_NOT_ALLOWED, message: message.into() }
    }
    /// The job does not do this now.
    pub(super) fn conflict(message: impl Into<String>) -> Self {
        Refused { status: StatusCode::CONFLICT, message: message.into() }
    }
    /// The body is longer than is read.
    pub(super) fn too_large(message: impl Into<String>) -> Self {
        Refused { status: StatusCode::PAYLOAD_TOO_LARGE, message: message.into() }
    }
    /// The job does not answer.
    pub(super) fn unavailable(message: impl Into<String>) -> Self {
        Refused { status: StatusCode::SERVICE_UNAVAILABLE, message: message.into() }
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        (self.status, Json(json!({ "errors": [self.message] }))).into_response()
    }
}
