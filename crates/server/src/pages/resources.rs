//! Moving files by the pages of a project: upload, download, deletion. What they show is the project's page.

use axum::{
    extract::Multipart,
    http::{HeaderMap, Method},
};
use stoa_actions::{
    Error, projects,
    resources::{self, NewResource},
};
use stoa_domain::{
    ids::{OrganizationId, ProjectId},
    organizations::Key,
    resources::name_of_file,
};

use super::{
    Flash,
    form::FormErrors,
    page::{Page, PageResult},
    projects::project_page,
};
use crate::{
    api::resources::{drain, represent},
    extract::ApiPath,
    problem::ApiError,
};

/// `POST /organizations/{org}/projects/{project}/resources`: a form with a file, streamed to the object store as it comes.
pub async fn upload(page: Page, ApiPath((org, project)): ApiPath<(String, String)>, mut form: Multipart) -> PageResult {
    let (org, project) = (Key::read(&org), Key::read(&project));
    let unread = |bad: axum::extract::multipart::MultipartError| ApiError::request(bad.status(), "bad_form", bad.body_text());
    while let Some(mut field) = form.next_field().await.map_err(unread)? {
        if field.name() != Some("file") {
            continue;
        }
        let Some(file) = field.file_name().filter(|name| !name.is_empty()) else { break };
        let new = NewResource { name: name_of_file(file), media_type: field.content_type().map(str::to_owned), ..NewResource::default() };
        return match resources::write(&page.app.stoa, &page.caller, &org, &project, new, &mut field).await {
            Ok(written) => {
                let verb = if written.created { "uploaded" } else { "replaced" };
                let flash = Flash::ok(format!("{} is {verb}.", written.resource.name));
                let to = address(&page, &org, &project).await?;
                page.done(page.begin().await?, to, flash).await
            }
            Err(error) => {
                drain(&mut field).await;
                refused(&page, &org, &project, error).await
            }
        };
    }
    refused(&page, &org, &project, Error::fault("/file", "choose a file first")).await
}

async fn address(page: &Page, org: &Key<OrganizationId>, project: &Key<ProjectId>) -> PageResult<String> {
    let mut conn = page.read().await?;
    let (seat, listed) = projects::get(&mut conn, &page.caller, org, project).await?;
    Ok(format!("/organizations/{}/projects/{}", seat.organization.handle, listed.project.handle))
}

/// The project's page again, with why the upload was refused.
async fn refused(page: &Page, org: &Key<OrganizationId>, project: &Key<ProjectId>, error: Error) -> PageResult {
    let errors = FormErrors::of(error)?;
    let status = errors.status;
    let mut conn = page.read().await?;
    let mut shown = project_page(page, &mut conn, org, project, None).await?;
    shown.upload_error = Some(errors.rest().join(" "));
    Ok(FormErrors::again(status, shown))
}

/// `GET /organizations/{org}/projects/{project}/resources/{name}`.
pub async fn download(
    page: Page,
    method: Method,
    ApiPath((org, project, name)): ApiPath<(String, String, String)>,
    headers: HeaderMap,
) -> PageResult {
    let resource = resources::find(&page.app.stoa, &page.caller, &Key::read(&org), &Key::read(&project), &name).await?;
    represent(&page.app.stoa, &resource, &method, &headers).await
}

/// `POST /organizations/{org}/projects/{project}/resources/{name}/delete`.
pub async fn delete(page: Page, ApiPath((org, project, name)): ApiPath<(String, String, String)>) -> PageResult {
    let (org, project) = (Key::read(&org), Key::read(&project));
    let to = address(&page, &org, &project).await?;
    let mut act = page.begin().await?;
    resources::delete(&mut act, &org, &project, &name, &Default::default()).await?;
    page.done(act, to, Flash::ok(format!("{name} is deleted."))).await
}
