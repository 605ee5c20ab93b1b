// While you work on the page, requests for answers go to the Python server.
export default { server: { proxy: { "/answers": "http://127.0.0.1:8000" } } };
