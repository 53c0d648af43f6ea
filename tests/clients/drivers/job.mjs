// What a driver is to do, and how it says what came of it.
export const job = JSON.parse(process.env.CLIENT_JOB);
export const tell = (told) => console.log("\n" + JSON.stringify(told));
