// Reads a JSON array of Mermaid diagrams from stdin and writes for each what
// Mermaid's own parser makes of it: its participants and texts, or its complaint.
import mermaid from "mermaid";

const decode = (s) => s.replace(/ﬂ°°(\d+)¶ß/g, (_, code) => String.fromCodePoint(Number(code)));

const results = [];
for (const source of JSON.parse(await new Response(process.stdin).text())) {
  try {
    await mermaid.parse(source);
    const { db } = await mermaid.mermaidAPI.getDiagramFromText(source);
    const actors = [...db.getActors().values()].map((a) => decode(a.description));
    const texts = db.getMessages().filter((m) => ![db.LINETYPE.RECT_START, db.LINETYPE.RECT_END].includes(m.type)).map((m) => decode(m.message).trim());
    results.push({ actors, texts });
  } catch (e) {
    results.push({ error: e.message });
  }
}
console.log(JSON.stringify(results));
