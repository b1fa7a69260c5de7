// Runs before the cache is asked: what names a directory gets that directory's page.
function handler(event) {
    const request = event.request;
    const last = request.uri.slice(request.uri.lastIndexOf('/') + 1);
    if (last === '') {
        request.uri += 'index.html';
    } else if (!last.includes('.')) {
        request.uri += '/index.html';
    }
    return request;
}
