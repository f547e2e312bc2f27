import { denoise } from "./denoise.js";
import { recover } from "./recover.js";
export const taskDecoders = (settings) => ({ denoise: denoise(settings), recover });
//# sourceMappingURL=registry.js.map