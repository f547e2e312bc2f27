/** Plots as SVG, drawn without a browser. The only importer of vega and vega-lite. */
import { parse, View } from 'vega';
import { compile, type Config, type TopLevelSpec } from 'vega-lite';

/** Colour-blind safe palette (Okabe & Ito 2008); white background, so that plots are legible on dark pages. */
const config: Config = {
  background: 'white',
  padding: 10,
  font: 'Helvetica, Arial, sans-serif',
  range: {
    category: ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00', '#56b4e9', '#000000'],
  },
  axis: { gridColor: '#e6e6e6', labelFontSize: 11, titleFontSize: 12, titleFontWeight: 'normal' },
  legend: { labelFontSize: 11, labelLimit: 320, titleFontSize: 12 },
  title: { anchor: 'start', fontSize: 13 },
  view: { stroke: null },
};

export type Spec = TopLevelSpec;

/** Renders a vega-lite specification as SVG. */
export async function toSvg(spec: Spec): Promise<string> {
  const view = new View(parse(compile(spec, { config }).spec), { renderer: 'none' });
  try {
    return await view.toSVG();
  } finally {
    view.finalize();
  }
}
