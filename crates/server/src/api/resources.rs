//! Resources: raw bytes in, raw bytes out, for people and for services.

use axum::{
    Json,
    body::Body,
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use futures::{Stream, StreamExt as _};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;
use stoa_actions::{
    Error, Stoa,
    resources::{self, NewResource},
};
use stoa_domain::{
    ids::ResourceId,
    organizations::Key,
    resources::{Asked, Conditions, Resource, asked_range},
    time::Ts,
};
use utoipa::ToSchema;

use crate::{
    extract::{Api, ApiPath, ApiQuery, ApiResult, done},
    paging::{Page, Paging},
    problem::{ApiError, Refusals},
};

/// What is known of a resource without its bytes.
#[derive(Debug, Serialize, ToSchema)]
pub struct ResourceView {
    /// `res_…`; stays the same when the bytes are written anew.
    #[schema(value_type = String)]
    pub id: ResourceId,
    /// Its name, unique within its project.
    pub name: String,
    /// Its media type.
    pub media_type: String,
    /// Its size in bytes.
    pub size: i64,
    /// Its version, with quotes as in the `ETag` header.
    pub etag: String,
    /// When it was first written.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Ts,
    /// When it was last written.
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Ts,
}

impl From<Resource> for ResourceView {
    fn from(resource: Resource) -> Self {
        Self {
            id: resource.id,
            name: resource.name,
            media_type: resource.media_type,
            size: resource.size,
            etag: resource.etag,
            created_at: resource.created_at,
            updated_at: resource.updated_at,
        }
    }
}

/// Writes a resource; one of the same name is replaced, whole or not at all.
#[utoipa::path(put, path = "/api/v1/organizations/{org}/projects/{project}/resources/{name}", tag = "resources", params(("org" = String, Path, description = "Handle or id"), ("project" = String, Path, description = "Handle or id"), ("name" = String, Path, description = "One path segment"), ("If-Match" = Option<String>, Header, description = "Replace only this version"), ("If-None-Match" = Option<String>, Header, description = "`*`: only if there is none yet")), request_body(content = Vec<u8>, content_type = "application/octet-stream", description = "The bytes; the Content-Type is kept"), responses((status = 201, description = "A new resource", body = ResourceView), (status = 200, description = "The resource replaced", body = ResourceView), (status = 412, description = "The version is another", body = crate::problem::Problem, content_type = "application/problem+json"), (status = 413, description = "Too many bytes", body = crate::problem::Problem, content_type = "application/problem+json"), Refusals))]
pub async fn put(api: Api, ApiPath((org, project, name)): ApiPath<(String, String, String)>, headers: HeaderMap, body: Body) -> ApiResult {
    let new = NewResource {
        name,
        media_type: text(&headers, header::CONTENT_TYPE),
        length: text(&headers, header::CONTENT_LENGTH).and_then(|length| length.parse().ok()),
        conditions: conditions(&headers),
    };
    let mut body = body.into_data_stream();
    match resources::write(&api.app.stoa, &api.caller, &Key::read(&org), &Key::read(&project), new, &mut body).await {
        Ok(written) => {
            let status = if written.created { StatusCode::CREATED } else { StatusCode::OK };
            let headers = version(&written.resource);
            Ok((status, headers, Json(ResourceView::from(written.resource))).into_response())
        }
        Err(error) => {
            if !headers.contains_key(header::EXPECT) {
                drain(&mut body).await;
            }
            Err(error.into())
        }
    }
}

/// The most bytes that are read on after a refusal.
const DRAINED: usize = 8 * 1024 * 1024;

/// Reads on for a while: a client that is still sending sees a reset connection instead of the refusal otherwise. Who
/// sends `Expect: 100-continue` waits for the answer by itself.
pub(crate) async fn drain<S, E>(body: &mut S)
where
    S: Stream<Item = Result<Bytes, E>> + Unpin,
{
    let mut left = DRAINED;
    while let Some(Ok(chunk)) = body.next().await {
        match left.checked_sub(chunk.len()) {
            Some(less) => left = less,
            None => break,
        }
    }
}

/// The bytes of a resource.
#[utoipa::path(get, path = "/api/v1/organizations/{org}/projects/{project}/resources/{name}", tag = "resources", params(("org" = String, Path, description = "Handle or id"), ("project" = String, Path, description = "Handle or id"), ("name" = String, Path, description = "One path segment"), ("Range" = Option<String>, Header, description = "`bytes=first-last`"), ("If-Range" = Option<String>, Header, description = "The version the range is of"), ("If-None-Match" = Option<String>, Header, description = "The version you have")), responses((status = 200, description = "The bytes", body = Vec<u8>, content_type = "application/octet-stream"), (status = 206, description = "The range", body = Vec<u8>, content_type = "application/octet-stream"), (status = 304, description = "You have the current version"), (status = 412, description = "The version is another", body = crate::problem::Problem, content_type = "application/problem+json"), (status = 416, description = "There are fewer bytes", body = crate::problem::Problem, content_type = "application/problem+json"), Refusals))]
pub async fn get(api: Api, ApiPath((org, project, name)): ApiPath<(String, String, String)>, headers: HeaderMap) -> ApiResult {
    let stoa = &api.app.stoa;
    let resource = resources::find(stoa, &api.caller, &Key::read(&org), &Key::read(&project), &name).await?;
    represent(stoa, &resource, &Method::GET, &headers).await
}

/// What a GET would answer, without the bytes.
#[utoipa::path(head, path = "/api/v1/organizations/{org}/projects/{project}/resources/{name}", tag = "resources", params(("org" = String, Path, description = "Handle or id"), ("project" = String, Path, description = "Handle or id"), ("name" = String, Path, description = "One path segment"), ("If-None-Match" = Option<String>, Header, description = "The version you have")), responses((status = 200, description = "Size, media type and version, in the headers"), (status = 304, description = "You have the current version"), Refusals))]
pub async fn head(api: Api, ApiPath((org, project, name)): ApiPath<(String, String, String)>, headers: HeaderMap) -> ApiResult {
    let stoa = &api.app.stoa;
    let resource = resources::find(stoa, &api.caller, &Key::read(&org), &Key::read(&project), &name).await?;
    represent(stoa, &resource, &Method::HEAD, &headers).await
}

/// Deletes a resource.
#[utoipa::path(delete, path = "/api/v1/organizations/{org}/projects/{project}/resources/{name}", tag = "resources", params(("org" = String, Path, description = "Handle or id"), ("project" = String, Path, description = "Handle or id"), ("name" = String, Path, description = "One path segment"), ("If-Match" = Option<String>, Header, description = "Delete only this version")), responses((status = 204, description = "Deleted"), (status = 412, description = "The version is another", body = crate::problem::Problem, content_type = "application/problem+json"), Refusals))]
pub async fn delete(api: Api, ApiPath((org, project, name)): ApiPath<(String, String, String)>, headers: HeaderMap) -> ApiResult {
    let mut act = api.begin().await?;
    resources::delete(&mut act, &Key::read(&org), &Key::read(&project), &name, &conditions(&headers)).await?;
    done(act).await
}

/// The resources of a project, by name, without their bytes.
#[utoipa::path(get, path = "/api/v1/organizations/{org}/projects/{project}/resources", tag = "resources", params(("org" = String, Path, description = "Handle or id"), ("project" = String, Path, description = "Handle or id"), Paging), responses((status = 200, description = "A page", body = Page<ResourceView>), Refusals))]
pub async fn list(api: Api, ApiPath((org, project)): ApiPath<(String, String)>, ApiQuery(paging): ApiQuery<Paging>) -> ApiResult {
    let limit = paging.limit()?;
    let after: Option<String> = paging.cursor()?;
    let mut conn = api.read().await?;
    let (org, project) = (Key::read(&org), Key::read(&project));
    let (_, page) = resources::list(&api.app.stoa, &mut conn, &api.caller, &org, &project, after.as_deref(), limit + 1).await?;
    Ok(Json(Page::cut(page, limit, |resource| resource.name.clone(), ResourceView::from)).into_response())
}

fn text(headers: &HeaderMap, name: header::HeaderName) -> Option<String> {
    headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
}

/// The header's fields joined to one list (RFC 9110, section 5.3).
fn listed(headers: &HeaderMap, name: header::HeaderName) -> Option<String> {
    let all: Vec<_> = headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
    if all.is_empty() { None } else { Some(all.join(", ")) }
}

fn conditions(headers: &HeaderMap) -> Conditions {
    Conditions { if_match: listed(headers, header::IF_MATCH), if_none_match: listed(headers, header::IF_NONE_MATCH) }
}

fn value(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static(""))
}

/// The headers that name a version.
fn version(resource: &Resource) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(header::ETAG, value(&resource.etag));
    headers.insert(header::LAST_MODIFIED, value(&resource.updated_at.http_date()));
    // Whether it may be used again is asked each time: who may read it can change at any moment.
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    headers
}

/// What a resource is answered with (RFC 9110): whole, in part, or only that it has not changed.
///
/// The bytes are somebody's upload, so no browser may take them for a page of ours: they are to be saved under their
/// name, their type is not guessed, and whatever shows them does so without scripts and without our origin.
///
/// # Errors
/// 412, 416, 503.
pub async fn represent(stoa: &Stoa, resource: &Resource, method: &Method, asked: &HeaderMap) -> ApiResult {
    let conditions = conditions(asked);
    if !conditions.allow_read(&resource.etag) {
        return Err(Error::Stale.into());
    }
    let mut headers = version(resource);
    if unchanged(resource, &conditions, asked) {
        return Ok((StatusCode::NOT_MODIFIED, headers).into_response());
    }
    let size = u64::try_from(resource.size).unwrap_or(0);
    let (range, if_range) = (text(asked, header::RANGE), text(asked, header::IF_RANGE));
    // A range is defined for GET only (RFC 9110, section 14.2).
    let range = range.filter(|_| method == Method::GET);
    let (status, part) = match asked_range(range.as_deref(), if_range.as_deref(), &resource.etag, size) {
        Asked::Whole => (StatusCode::OK, None),
        Asked::Part(part) => (StatusCode::PARTIAL_CONTENT, Some(part)),
        Asked::Unsatisfiable => return Ok(unsatisfiable(size)),
    };
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(header::CONTENT_TYPE, value(&resource.media_type));
    headers.insert(header::CONTENT_DISPOSITION, value(&disposition(&resource.name)));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("sandbox; default-src 'none'"));
    headers.insert("cross-origin-resource-policy", HeaderValue::from_static("same-origin"));
    let length = part.as_ref().map_or(size, |part| part.end - part.start);
    headers.insert(header::CONTENT_LENGTH, length.into());
    if let Some(part) = &part {
        headers.insert(header::CONTENT_RANGE, value(&format!("bytes {}-{}/{size}", part.start, part.end - 1)));
    }
    let body = if method == Method::HEAD || length == 0 {
        Body::empty()
    } else {
        Body::from_stream(resources::bytes(stoa, resource, part).await?)
    };
    Ok((status, headers, body).into_response())
}

/// Whether who asks has the current version already. A date counts only without an entity tag, which is finer.
fn unchanged(resource: &Resource, conditions: &Conditions, asked: &HeaderMap) -> bool {
    if conditions.if_none_match.is_some() {
        return conditions.not_modified(&resource.etag);
    }
    let since = text(asked, header::IF_MODIFIED_SINCE).and_then(|text| Ts::from_http_date(&text));
    let written = Ts::from_http_date(&resource.updated_at.http_date());
    since.zip(written).is_some_and(|(since, written)| written <= since)
}

fn unsatisfiable(size: u64) -> Response {
    let refusal = ApiError::request(
        StatusCode::RANGE_NOT_SATISFIABLE,
        "range_not_satisfiable",
        format!("the resource has {size} bytes; ask for a range within them"),
    );
    let mut response = refusal.into_response();
    response.headers_mut().insert(header::CONTENT_RANGE, value(&format!("bytes */{size}")));
    response
}

/// What stands unescaped in an extended parameter (RFC 8187, section 3.2.1).
const ATTR_CHAR: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'+').remove(b'~');

/// `attachment` with the name in both forms (RFC 6266): plain for old clients, and exact.
fn disposition(name: &str) -> String {
    let plain: String = name.chars().map(|c| if c.is_ascii_alphanumeric() || " ._-+@()".contains(c) { c } else { '_' }).collect();
    format!("attachment; filename=\"{plain}\"; filename*=UTF-8''{}", utf8_percent_encode(name, ATTR_CHAR))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_leave_its_header() {
        assert_eq!(
            disposition("Zähler\r\n\"x\".csv"),
            "attachment; filename=\"Z_hler___x_.csv\"; filename*=UTF-8''Z%C3%A4hler%0D%0A%22x%22.csv"
        );
    }
}
