import { createRoot } from "react-dom/client";
import { Chat } from "./Chat.jsx";
import "./chat.css";

createRoot(document.getElementById("root")).render(<Chat />);
