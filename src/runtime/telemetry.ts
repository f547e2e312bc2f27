/**
 * Turns off the telemetry of ONNX Runtime (1.30 and later, on Linux too), which would write into the temporary folder and send
 * data over the network. To be imported before ONNX Runtime is loaded, and in the main thread: a worker thread's
 * environment is a copy that native code does not see.
 */
process.env.ORT_DISABLE_TELEMETRY = '1';
