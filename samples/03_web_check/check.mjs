// Loads a folder that `orilla export` wrote and checks itself against its golden data.
import * as ort from "onnxruntime-web";

const ARRAYS = { uint8: Uint8Array, int8: Int8Array, float32: Float32Array };

// `read` gives the bytes of a file of the folder, for example name => fetch(`app/${name}`).then(r => r.bytes()).
export async function load(read) {
  const json = async (name) => JSON.parse(new TextDecoder().decode(await read(name)));
  const plan = await json("preprocess.json");
  const session = await ort.InferenceSession.create(await read(plan.model));
  const input = plan.inputs[0];
  const scores = async (bytes) => {
    const values = new ARRAYS[input.dtype](Uint8Array.from(bytes).buffer);
    const found = await session.run({ [input.name]: new ort.Tensor(input.dtype, values, input.shape) });
    return found[plan.outputs[0].name].data;
  };
  const golden = await json("golden.json");
  for (const { input: name, output } of golden.cases) {
    const found = await scores(await read(name));
    const error = Math.max(...output.map((wanted, i) => Math.abs(found[i] - wanted)));
    if (!(error <= golden.tolerance)) throw new Error(`${name}: differs by ${error}, ${golden.tolerance} is allowed`);
  }
  return { plan, scores, checked: golden.cases.length };
}
