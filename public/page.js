/** Starts the page: tabs, the access token, the tasks and the live strip. */
import { models, useToken } from './api.js';
import { say } from './dom.js';
import { guardDrops } from './images.js';
import { Denoise } from './denoise.js';
import { FewShot } from './few-shot.js';
import { startLive } from './live.js';
import { Recognize } from './recognize.js';
import { Recover } from './recover.js';

const tasks = [
  { id: 'denoise', task: 'denoise', Panel: Denoise },
  { id: 'recover', task: 'sparse-recovery', Panel: Recover },
  { id: 'few-shot', task: 'few-shot', Panel: FewShot },
  { id: 'recognize', task: 'recognize', Panel: Recognize },
];
const find = (id) => document.getElementById(id);
const tabs = tasks.map(({ id }) => find(`tab-${id}`));
let manifests;

/** Shows a task; its first showing sends its sample. */
function open(id) {
  for (const task of tasks) {
    const chosen = task.id === id;
    find(task.id).hidden = !chosen;
    const tab = find(`tab-${task.id}`);
    tab.setAttribute('aria-selected', String(chosen));
    tab.tabIndex = chosen ? 0 : -1;
    if (chosen && manifests) begin(task);
  }
}

function begin(task) {
  if (task.begun) return;
  task.begun = true;
  const panel = find(task.id);
  const own = manifests.filter((model) => model.task === task.task);
  if (own.length === 0) say(panel, 'This service has no model for this task.', true);
  else void new task.Panel(panel, own).start();
}

const fromAddress = () => tasks.find(({ id }) => `#${id}` === location.hash)?.id ?? tasks[0].id;
const choose = (i) => {
  const { id } = tasks[i];
  history.replaceState(null, '', `#${id}`);
  open(id);
  tabs[i].focus();
};
tabs.forEach((tab, i) => {
  tab.addEventListener('click', () => choose(i));
  tab.addEventListener('keydown', ({ key }) => {
    const to = { ArrowRight: i + 1, ArrowLeft: i - 1, Home: 0, End: tabs.length - 1 }[key];
    if (to !== undefined) choose((to + tabs.length) % tabs.length);
  });
});
addEventListener('hashchange', () => open(fromAddress()));

async function load() {
  const trouble = find('trouble');
  try {
    manifests = (await models()).filter(({ baseline }) => !baseline);
    trouble.hidden = true;
    open(fromAddress());
  } catch (error) {
    trouble.textContent = error.message;
    trouble.hidden = false;
  }
}

document.addEventListener('unauthorized', () => (find('access').hidden = false));
find('access').addEventListener('submit', (event) => {
  event.preventDefault();
  useToken(find('token').value);
  find('access').hidden = true;
  void load();
  void live();
});

guardDrops();
open(fromAddress());
await load();
const live = startLive(find('live'), () => manifests ?? []);
