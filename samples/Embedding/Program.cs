// A host app with a WebAssembly guest that outlives it. The guest keeps a guestbook in its memory, and knows nothing of files;
// the host commits it after each entry, so that the next run finds it, even after a kill.
//
//   dotnet run -c Release --project samples/Embedding -- guestbook.heap "First!"
using Everheap.Vm.Embedding;
using Everheap.Vm.Modules;

if (args.Length != 2)
{
    Console.Error.WriteLine("usage: guestbook FILE ENTRY");
    return 2;
}

string path = args[0];
var linker = new Linker();
linker.Define("host", "log", (Caller caller, int text, int length) => Console.Write(caller.GetMemory().ReadString((uint)text, length)));

using Machine machine = File.Exists(path) ? Machine.Open(path, linker) : Machine.Create(path);
Instance guest = machine.Instances.Count > 0
    ? machine.GetInstance("guestbook")
    : linker.Instantiate(machine, Module.Load(Path.Combine(AppContext.BaseDirectory, "guestbook.wasm")), "guestbook");

int room = guest.GetFunction<int>("room")();
int length = guest.GetMemory().WriteString((uint)room, args[1]);
int entries = guest.GetFunction<int, int>("sign")(length);
machine.Checkpoint();

Console.WriteLine($"{entries} entries in {path}:");
guest.GetAction("show")();
return 0;
