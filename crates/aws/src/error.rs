//! Errors of the SDK, told as what the caller should do about them.

use std::{error::Error as _, fmt::Display};

use archive::{Error, ErrorKind};
use aws_smithy_runtime_api::client::{orchestrator::HttpResponse, result::SdkError};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

/// The error of a call about `what` (`object a/b`). Tells the service's code, the HTTP status and the request's id;
/// the service's own text is left out, as it may repeat what was sent.
pub(crate) fn from_sdk<E: ProvideErrorMetadata>(what: impl Display, error: &SdkError<E, HttpResponse>) -> Error {
    let kind = kind(error);
    match error {
        SdkError::ServiceError(_) | SdkError::ResponseError(_) => {
            let status = status(error).map_or_else(String::new, |status| format!(", HTTP {status}"));
            let id = request_id(error).map_or_else(String::new, |id| format!(", request {id}"));
            Error::new(kind, format!("{what}: {}{status}{id}", code(error).unwrap_or("answer not understood")))
        }
        SdkError::DispatchFailure(failure) => {
            let mut cause = failure.as_connector_error().and_then(|error| error.source());
            while let Some(deeper) = cause.and_then(std::error::Error::source) {
                cause = Some(deeper);
            }
            let cause = cause.map_or_else(String::new, |cause| format!(": {cause}"));
            Error::new(kind, format!("{what}: service cannot be reached{cause}"))
        }
        SdkError::TimeoutError(_) => Error::new(kind, format!("{what}: no answer in time")),
        SdkError::ConstructionFailure(_) => Error::new(kind, format!("{what}: request cannot be made")),
        _ => Error::new(kind, format!("{what}: call failed")),
    }
}

/// The service's word for what went wrong, such as `NoSuchKey`.
pub(crate) fn code<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> Option<&str> {
    error.as_service_error().and_then(ProvideErrorMetadata::code)
}

/// The HTTP status, if there was an answer.
pub(crate) fn status<E>(error: &SdkError<E, HttpResponse>) -> Option<u16> {
    error.raw_response().map(|answer| answer.status().as_u16())
}

pub(crate) fn kind<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> ErrorKind {
    match error {
        // Our side's mistake, such as an endpoint that is no address.
        SdkError::DispatchFailure(failure) if failure.is_user() => ErrorKind::Internal,
        SdkError::TimeoutError(_) | SdkError::DispatchFailure(_) => ErrorKind::Unavailable,
        SdkError::ServiceError(_) | SdkError::ResponseError(_) => {
            let by_status = || status(error).map_or(ErrorKind::Internal, kind_of_status);
            code(error).and_then(kind_of_code).unwrap_or_else(by_status)
        }
        _ => ErrorKind::Internal,
    }
}

/// Codes that say more than their status does: most services answer everything with 400.
fn kind_of_code(code: &str) -> Option<ErrorKind> {
    // `com.amazonaws.sqs#QueueDoesNotExist`, `AWS.SimpleQueueService.NonExistentQueue`
    let code = code.rsplit(['#', '.']).next().unwrap_or(code);
    Some(match code {
        "Throttling"
        | "ThrottlingException"
        | "ThrottledException"
        | "RequestThrottled"
        | "RequestThrottledException"
        | "TooManyRequestsException"
        | "RequestLimitExceeded"
        | "ProvisionedThroughputExceededException"
        | "LimitExceededException"
        | "SlowDown"
        | "OverLimit"
        | "OperationAborted"
        | "RequestTimeout"
        | "RequestTimeoutException"
        | "TransactionInProgressException"
        | "InternalError"
        | "InternalFailure"
        | "InternalServerError"
        | "InternalServerException"
        | "InternalServiceError"
        | "KMSInternalException"
        | "DependencyTimeoutException"
        | "KeyUnavailableException"
        | "ServiceUnavailable"
        | "ServiceUnavailableException"
        | "ExpiredToken"
        | "ExpiredTokenException" => ErrorKind::Unavailable,
        "AccessDenied"
        | "AccessDeniedException"
        | "UnrecognizedClientException"
        | "InvalidAccessKeyId"
        | "InvalidClientTokenId"
        | "InvalidSignatureException"
        | "SignatureDoesNotMatch"
        | "MissingAuthenticationToken"
        | "KmsAccessDenied"
        | "KMSAccessDeniedException" => ErrorKind::Denied,
        "ConditionalCheckFailedException"
        | "ConditionalRequestConflict"
        | "PreconditionFailed"
        | "ConflictException"
        | "ResourceConflictException"
        | "ResourceExistsException"
        | "ResourceInUseException"
        | "TransactionConflictException"
        | "TransactionCanceledException" => ErrorKind::Conflict,
        "NotFound"
        | "NotFoundException"
        | "NoSuchKey"
        | "NoSuchBucket"
        | "NoSuchUpload"
        | "ResourceNotFoundException"
        | "QueueDoesNotExist"
        | "NonExistentQueue" => ErrorKind::NotFound,
        "ValidationException"
        | "ValidationError"
        | "EntityTooLarge"
        | "KeyTooLongError"
        | "InvalidRange"
        | "InvalidRequestException"
        | "InvalidParameterException"
        | "InvalidParameterValue"
        | "InvalidMessageContents"
        | "ItemCollectionSizeLimitExceededException" => ErrorKind::Invalid,
        _ => return None,
    })
}

fn kind_of_status(status: u16) -> ErrorKind {
    match status {
        // Asking again does not make it.
        501 => ErrorKind::Internal,
        408 | 429 | 500.. => ErrorKind::Unavailable,
        401 | 403 => ErrorKind::Denied,
        404 => ErrorKind::NotFound,
        409 | 412 => ErrorKind::Conflict,
        413 | 416 => ErrorKind::Invalid,
        _ => ErrorKind::Internal,
    }
}

fn request_id<E>(error: &SdkError<E, HttpResponse>) -> Option<&str> {
    let headers = error.raw_response()?.headers();
    ["x-amzn-requestid", "x-amz-request-id"].into_iter().find_map(|name| headers.get(name))
}

#[cfg(test)]
mod tests {
    use aws_smithy_runtime_api::{client::result::ConnectorError, http::StatusCode};
    use aws_smithy_types::{body::SdkBody, error::ErrorMetadata};

    use super::*;

    fn answered(code: Option<&str>, status: u16) -> SdkError<ErrorMetadata, HttpResponse> {
        let mut meta = ErrorMetadata::builder().message("item SECRET is not valid");
        if let Some(code) = code {
            meta = meta.code(code);
        }
        let mut answer = HttpResponse::new(StatusCode::try_from(status).unwrap(), SdkBody::from("SECRET"));
        answer.headers_mut().insert("x-amzn-requestid", "r-1");
        SdkError::service_error(meta.build(), answer)
    }

    #[test]
    fn codes_come_before_the_status() {
        for (code, status, expected) in [
            (Some("ThrottlingException"), 400, ErrorKind::Unavailable),
            (Some("ProvisionedThroughputExceededException"), 400, ErrorKind::Unavailable),
            (Some("AccessDeniedException"), 400, ErrorKind::Denied),
            (Some("ConditionalCheckFailedException"), 400, ErrorKind::Conflict),
            (Some("AWS.SimpleQueueService.NonExistentQueue"), 400, ErrorKind::NotFound),
            (Some("com.amazonaws.sqs#QueueDoesNotExist"), 400, ErrorKind::NotFound),
            (Some("ValidationException"), 400, ErrorKind::Invalid),
            (Some("SomethingNew"), 400, ErrorKind::Internal),
            (Some("SomethingNew"), 503, ErrorKind::Unavailable),
            (None, 403, ErrorKind::Denied),
            (None, 404, ErrorKind::NotFound),
            (None, 412, ErrorKind::Conflict),
            (None, 416, ErrorKind::Invalid),
            (None, 500, ErrorKind::Unavailable),
            (None, 501, ErrorKind::Internal),
        ] {
            assert_eq!(from_sdk("row", &answered(code, status)).kind(), expected, "{code:?} {status}");
        }
    }

    #[test]
    fn nothing_that_was_sent_is_told() {
        let error = from_sdk("row 7", &answered(Some("ValidationException"), 400)).to_string();
        assert_eq!(error, "row 7: ValidationException, HTTP 400, request r-1");
    }

    #[test]
    fn what_never_arrived_may_pass() {
        let refused = std::io::Error::new(std::io::ErrorKind::ConnectionRefused, "connection refused");
        let failed: SdkError<ErrorMetadata, HttpResponse> =
            SdkError::dispatch_failure(ConnectorError::io(Box::new(refused)));
        let error = from_sdk("bucket b", &failed);
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert_eq!(error.to_string(), "bucket b: service cannot be reached: connection refused");
        let late: SdkError<ErrorMetadata, HttpResponse> = SdkError::timeout_error("late");
        assert_eq!(from_sdk("bucket b", &late).kind(), ErrorKind::Unavailable);
    }
}
