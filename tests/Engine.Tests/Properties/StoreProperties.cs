using Everheap.Engine.Tests.Model;
using Everheap.Engine.Tests.Transfer;
using FsCheck;
using FsCheck.Fluent;

namespace Everheap.Engine.Tests.Properties;

/// <summary>Whatever is asked of stores, in whatever order, they hold what an executable model of them says, and refuse what it cannot do.</summary>
[TestFixture]
internal sealed class StoreProperties
{
    private const int Cases = 100;

    [Test]
    public void Two_stores_hold_what_their_models_say_whatever_commands_they_are_given()
    {
        Config config = Config.QuickThrowOnFailure.WithMaxTest(TestSeeds.IsLong ? Cases * 20 : Cases).WithStartSize(5).WithEndSize(100);
        Prop.ForAll(StoreCommandList.Any, list =>
        {
            using Run run = new();
            foreach (StoreCommand command in list.Commands)
            {
                run.Do(command);
            }

            run.Finish();
        }).Check(config);
    }

    /// <summary>Two stores with one clock, which send checkpoints to each other.</summary>
    private sealed class Run : IDisposable
    {
        private readonly TickingClock _clock = new();
        private readonly StoreSide[] _sides;

        public Run()
        {
            _sides = [new StoreSide(1, _clock), new StoreSide(2, _clock)];
        }

        public void Do(StoreCommand command)
        {
            _clock.Minutes++;
            StoreSide side = _sides[command.Store];
            StoreSide other = _sides[1 - command.Store];
            switch (command.Action)
            {
                case StoreAction.SendWhole:
                    Send(side, command, other, isWhole: true);
                    break;
                case StoreAction.SendDifference:
                    Send(side, command, other, isWhole: false);
                    break;
                default:
                    side.Do(command);
                    break;
            }

            side.Check($"after {command}");
            other.Check($"after {command}, in the other store");
        }

        public void Finish()
        {
            foreach (StoreSide side in _sides)
            {
                side.CheckAll("at the end");
                side.Reopen();
                side.CheckAll("opened again");
            }
        }

        public void Dispose()
        {
            foreach (StoreSide side in _sides)
            {
                side.Dispose();
            }
        }

        /// <summary>Sends a checkpoint, whole, or as what differs from the checkpoint that the other store's heap is at, if it is here, or else from any.</summary>
        private static void Send(StoreSide side, StoreCommand command, StoreSide other, bool isWhole)
        {
            string name = StoreSide.NameOf(command.Heap);
            string targetName = StoreSide.NameOf(command.Heap + (command.Value % 3 / 2));
            if (side.Find(name, command.Checkpoint, out _) is not { IsRetained: true } sent)
            {
                return;
            }

            List<(string Heap, ModelCheckpoint Checkpoint)> bases = [.. side.Model.Heaps.Values.SelectMany(heap => heap.Retained.Select(checkpoint => (heap.Name, checkpoint)))];
            HeapModel? known = other.Model.Heaps.GetValueOrDefault(targetName)?.Content;
            int index = bases.FindIndex(candidate => candidate.Checkpoint.Content == known);
            (string baseName, ModelCheckpoint basedOn) = bases[index < 0 ? command.Value % bases.Count : index];
            if (command.Value % 4 != 0)
            {
                other.CloseHeap(targetName); // open, it takes nothing
            }

            byte[] stream = [];
            if (isWhole)
            {
                side.WithSnapshot(name, sent, _ => stream = TransferBench.Send(side.Store, name, sent.Number, name, null));
            }
            else
            {
                side.WithSnapshot(baseName, basedOn, _ => side.WithSnapshot(name, sent, _ => stream = TransferBench.Send(side.Store, name, sent.Number, baseName, basedOn.Number)));
            }

            other.Receive(targetName, sent, isWhole ? null : basedOn.Content, () => TransferBench.Receive(other.Store, stream, targetName));
        }
    }

    /// <summary>A clock that goes on by a minute with every command.</summary>
    private sealed class TickingClock : TimeProvider
    {
        public int Minutes { get; set; }

        public override DateTimeOffset GetUtcNow() => new DateTimeOffset(2030, 1, 1, 0, 0, 0, TimeSpan.Zero).AddMinutes(Minutes);
    }
}
